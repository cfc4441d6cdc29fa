"""Ends the child processes of a process that was killed, if no namespace does so.

The guardian is a small process, one for each process that has such children. It reads from a pipe which
process groups begin and end. The pipe closes when its owner ends, in whatever way: the guardian then kills
the groups that have not ended, and exits. It is reparented to init, so code that counts or waits for children
does not see it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from ntp.sandbox.termination import end_group

# A cluster sends these to all processes of a job that has to end; the guardian must outlive its owner.
_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


class Guardian:
    """The owner's end of the pipe. The guardian starts with the first group; if it cannot, there is none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pipe: int | None = None
        # If a forked process kept the pipe open, the guardian would not notice the end of its owner.
        os.register_at_fork(
            before=self._lock.acquire, after_in_parent=self._lock.release, after_in_child=self._reset
        )

    def begin(self, leader: int, mark: str) -> None:
        """Register a group that the guardian has to end; see `end_group`."""
        with self._lock, contextlib.suppress(OSError):
            if self._pipe is None:
                self._pipe = _start()
            os.write(self._pipe, os.fsencode(f"{leader} {mark}\n"))

    def end(self, leader: int) -> None:
        """Unregister a group that has ended."""
        with self._lock, contextlib.suppress(OSError):
            if self._pipe is not None:
                os.write(self._pipe, b"%d\n" % leader)

    def _reset(self) -> None:
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None
        self._lock.release()


def _start() -> int:
    """Start the guardian and return the writable end of its pipe."""
    reading, writing = os.pipe()
    try:
        subprocess.run(
            [sys.executable, "-S", "-P", "-m", __name__],
            stdin=reading,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            start_new_session=True,
            check=False,
        )
    except OSError:
        os.close(writing)
        raise
    finally:
        os.close(reading)
    return writing


def main() -> None:
    """Read which groups begin and end until the pipe closes, then end the groups that are left."""
    if os.fork():
        os._exit(0)
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    marks: dict[int, str] = {}
    for line in sys.stdin.buffer:
        leader, _, mark = os.fsdecode(line.rstrip(b"\n")).partition(" ")
        if mark:
            marks[int(leader)] = mark
        else:
            marks.pop(int(leader), None)
    for group, mark in marks.items():
        end_group(group, mark)


GUARDIAN = Guardian()

if __name__ == "__main__":
    main()
