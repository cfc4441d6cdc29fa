"""Runs blocking work for requests: a bounded number at a time, ended when its client goes away."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from starlette.requests import Request

from ntp.serve.http.guards import RefusedError

T = TypeVar("T")


class Work:
    """Threads for blocking work.

    Args:
        max_running: Pieces of work at the same time; more are refused with status 503.
    """

    def __init__(self, max_running: int) -> None:
        self._threads = ThreadPoolExecutor(max_running, thread_name_prefix="request")
        self._max_running = max_running
        self._num_running = 0

    async def call(self, request: Request, function: Callable[[threading.Event], T]) -> T:
        """The result of a function, which is told by the event that its client has gone.

        Raises:
            RefusedError: Too much work is going on.
        """
        cancel = threading.Event()
        job = self._submit(lambda: function(cancel))
        watcher = asyncio.create_task(_watch(request, cancel))
        try:
            return await asyncio.shield(job)
        finally:
            cancel.set()
            watcher.cancel()

    async def iterate(self, make: Callable[[threading.Event], Iterator[T]]) -> AsyncIterator[T]:
        """The elements of an iterator as it makes them; closing this one sets the event.

        Raises:
            RefusedError: Too much work is going on.
        """
        cancel = threading.Event()
        loop, queue = asyncio.get_running_loop(), asyncio.Queue[tuple[bool, object]]()

        def put(is_last: bool, value: object) -> None:
            with contextlib.suppress(RuntimeError):  # the server has ended
                loop.call_soon_threadsafe(queue.put_nowait, (is_last, value))

        def run() -> None:
            try:
                for element in make(cancel):
                    put(False, element)
            except BaseException as error:
                put(True, error)
            else:
                put(True, None)

        self._submit(run)
        try:
            while True:
                is_last, value = await queue.get()
                if isinstance(value, BaseException):
                    raise value
                if is_last:
                    return
                yield value  # pyright: ignore[reportReturnType]
        finally:
            cancel.set()

    def close(self) -> None:
        """Wait for no more work."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _submit(self, function: Callable[[], T]) -> asyncio.Future[T]:
        if self._num_running >= self._max_running:
            raise RefusedError(503, "the server works for as many requests as it can: try again")
        self._num_running += 1
        job = asyncio.get_running_loop().run_in_executor(self._threads, function)
        job.add_done_callback(self._done)
        return job

    def _done(self, job: asyncio.Future) -> None:
        self._num_running -= 1
        if not job.cancelled():
            job.exception()  # of a client that has gone nobody asks


async def _watch(request: Request, cancel: threading.Event) -> None:
    """Set the event when the client goes away. The body of the request must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    cancel.set()
