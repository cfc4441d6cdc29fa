"""One thread that looks at all children now and then.

The kernel has no limit on the memory of several processes together that needs no privilege; and its limit on
their number does not end them, it lets them go on to use the machine.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Protocol

# A fork bomb makes some hundred processes in this time; a look at a quiet prover takes a tenth of a
# millisecond.
_PERIOD_S = 0.1


class Watched(Protocol):
    """Something that is looked at every now and then."""

    def inspect(self) -> None:
        """Look, and act. Called in the thread of the watch; raises nothing."""
        ...


class Watch:
    """Inspects what was added until it is removed; the thread lives while there is something to inspect."""

    def __init__(self) -> None:
        self._begin_anew()
        # A fork has no thread, and what its parent has started is its parent's.
        os.register_at_fork(after_in_child=self._begin_anew)

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()
        self._watched: set[Watched] = set()
        self._thread: threading.Thread | None = None

    def add(self, watched: Watched) -> None:
        """Begin to inspect something."""
        with self._lock:
            self._watched.add(watched)
            # One that an error has ended begins again.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="ntp-watch", daemon=True)
                self._thread.start()

    def remove(self, watched: Watched) -> None:
        """Inspect something no longer. Safe to call twice."""
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
