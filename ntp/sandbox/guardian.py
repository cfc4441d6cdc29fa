"""Ends the provers of a process that was killed, where no namespace does that.

The guardian is a small process next to each process that has such provers. It reads from a pipe which groups
begin and end. When its parent ends, however it does, so does the pipe: the guardian kills the groups that
have not ended, and ends too. It is nobody's child: who counts children, or waits for them, never meets it.
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

# A cluster sends these to all processes of a job that is to end: the guardian has to outlive its parent.
_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


class Guardian:
    """The parent's side. The process starts with the first group; where it cannot, all works without it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pipe: int | None = None
        # A fork that kept the pipe would keep the guardian from seeing its parent's end.
        os.register_at_fork(
            before=self._lock.acquire, after_in_parent=self._lock.release, after_in_child=self._begin_anew
        )

    def begin(self, leader: int, mark: str) -> None:
        """Take a group into care; see `end_group`."""
        with self._lock, contextlib.suppress(OSError):
            if self._pipe is None:
                self._pipe = _start()
            os.write(self._pipe, os.fsencode(f"{leader} {mark}\n"))

    def end(self, leader: int) -> None:
        """Forget a group that has ended."""
        with self._lock, contextlib.suppress(OSError):
            if self._pipe is not None:
                os.write(self._pipe, b"%d\n" % leader)

    def _begin_anew(self) -> None:
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None
        self._lock.release()


def _start() -> int:
    """Start the process, and return where to write."""
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
    """Read what begins and ends until the parent has ended, then end what is left."""
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
