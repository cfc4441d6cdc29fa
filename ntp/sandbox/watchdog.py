"""A thread that periodically inspects all child processes.

Without privileges, the kernel cannot limit the memory of several processes together. And its limit on the
number of processes does not end them: they continue to use the machine.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Protocol

# A fork bomb starts some hundred processes in this time; inspecting an idle prover takes 0.1 ms.
_PERIOD_S = 0.1


class Watched(Protocol):
    """An object that is inspected periodically."""

    def inspect(self) -> None:
        """Inspect and act. Called in the thread of the watch; must not raise."""
        ...


class Watch:
    """Inspects objects from `add` until `remove`. The thread runs while there is any."""

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
