"""A started process together with its sandbox: whether it runs, ending it, and a thread that watches it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Protocol

from ntp.sandbox.guardian import GUARDIAN
from ntp.sandbox.proc import children, cpu_s, descendants
from ntp.sandbox.termination import end_group

_END_TIMEOUT_S = 30.0
# A fork bomb starts some hundred processes in this time; inspecting an idle prover takes 0.1 ms.
_PERIOD_S = 0.1


class SandboxedProcess:
    """A child of `subprocess`, from the process that was started down to the program in the sandbox.

    Args:
        child: Leader of its own session. Only this object waits for it.
        num_wrappers: See `Sandbox`.
        mark: An environment variable NAME=VALUE that only it and its descendants have.
    """

    def __init__(self, child: subprocess.Popen[bytes], num_wrappers: int, mark: str) -> None:
        self._child, self._num_wrappers, self._mark = child, num_wrappers, mark
        self._is_swept = False
        self._cpu_s = 0.0
        if not num_wrappers:
            GUARDIAN.begin(child.pid, mark)
        # Held while the child may be reaped; until then its id cannot belong to another process.
        self._lock = threading.Lock()

    @property
    def program(self) -> int:
        """Id of the program's process, which is a descendant of the processes that set up its sandbox."""
        pid = self._child.pid
        for _ in range(self._num_wrappers):
            pid = next(iter(children(pid)), pid)
        return pid

    @property
    def cpu_s(self) -> float:
        """CPU time of the child and all processes it started, ended ones included, in seconds.

        Of an ended child, what was read when it was killed.
        """
        with self._lock:
            if self._child.returncode is None:
                self._cpu_s = max(self._cpu_s, cpu_s(descendants(self._child.pid)))
            return self._cpu_s

    @property
    def alive(self) -> bool:
        """Whether the child still runs."""
        with self._lock:
            return self._child.returncode is None and not self._has_ended()

    def kill_if(self, is_to_end: Callable[[], bool]) -> None:
        """Kill the child if `is_to_end`, or what is left of it if it has ended. Does not wait for that."""
        # If another thread holds the lock, it is already ending the child.
        if self._lock.acquire(blocking=False):
            try:
                if self._child.returncode is None and (is_to_end() or self._has_left_something()):
                    self._send_kill()
            finally:
                self._lock.release()

    def kill(self) -> int:
        """Kill the child and all processes it started and return its exit status. Safe to call twice."""
        with self._lock:
            if self._child.returncode is None:
                self._cpu_s = max(self._cpu_s, cpu_s(descendants(self._child.pid)))
                self._send_kill()
                try:
                    self._child.wait(_END_TIMEOUT_S)
                except subprocess.TimeoutExpired:
                    os.killpg(self._child.pid, signal.SIGKILL)
                    self._child.wait()
                if not self._num_wrappers:
                    GUARDIAN.end(self._child.pid)
            return self._child.wait()

    def _has_ended(self) -> bool:
        # WNOWAIT: the child is not reaped, so its group keeps its id.
        return os.waitid(os.P_PID, self._child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _has_left_something(self) -> bool:
        # A child that is killed while it sets up the sandbox leaves a process that waits for it forever.
        # Without a sandbox, all that it can leave exists when it ends, so one sweep (some milliseconds)
        # suffices.
        return self._has_ended() and not self._is_swept

    def _send_kill(self) -> None:
        if not self._num_wrappers:
            end_group(self._child.pid, self._mark)
            self._is_swept = True
            return
        first = children(self._child.pid)
        with contextlib.suppress(ProcessLookupError):
            if first:
                # This ends the whole namespace. Its creator then exits by itself, unless it is stopped, and
                # leaves no orphan.
                os.kill(first[0], signal.SIGKILL)
                os.kill(self._child.pid, signal.SIGCONT)
            else:
                os.killpg(self._child.pid, signal.SIGKILL)


class Watched(Protocol):
    """An object that is inspected periodically."""

    def inspect(self) -> None:
        """Inspect and act. Called in the thread of the watch; must not raise."""
        ...


class Watch:
    """Inspects objects periodically, in a thread, from `add` until `remove`.

    Without privileges, the kernel cannot limit the memory of several processes together. And its limit on the
    number of processes does not end them: they continue to use the machine.
    """

    def __init__(self) -> None:
        self._reset()
        # A forked process does not have the thread, and its parent's children are not its own.
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._watched: set[Watched] = set()
        self._thread: threading.Thread | None = None

    def add(self, watched: Watched) -> None:
        """Start to inspect an object."""
        with self._lock:
            self._watched.add(watched)
            # A thread that ended with an error is replaced.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="ntp-watch", daemon=True)
                self._thread.start()

    def remove(self, watched: Watched) -> None:
        """Stop to inspect an object. Safe to call twice."""
        with self._lock:
            self._watched.discard(watched)

    def _run(self) -> None:
        while True:
            time.sleep(_PERIOD_S)
            with self._lock:
                watched = list(self._watched)
                if not watched:
                    self._thread = None
                    return
            for one in watched:
                one.inspect()


WATCH = Watch()
