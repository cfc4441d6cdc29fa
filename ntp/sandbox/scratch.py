"""Temporary directories of child processes, and removal of those that killed processes have left.

Each contains a file that its owner keeps locked. The lock is released when the owner ends, in whatever way,
so an unlocked file in an old directory means that no process will remove that directory.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path

_PREFIX = "ntp-"
# Marks the directory as ours, and as used on this machine: locks of other machines may be invisible here.
_LOCK_NAME = f".ntp-prover-{os.uname().nodename}.lock"
# A younger directory may be one that is being created and is not locked yet.
_MIN_AGE_S = 60.0


class Scratch:
    """A temporary directory. The first one of a process removes the stale ones of other processes.

    Attributes:
        path: The directory; removed by `close`.
    """

    def __init__(self) -> None:
        _remove_stale()
        self._directory = tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True)
        self.path = Path(self._directory.name)
        try:
            self._lock = (self.path / _LOCK_NAME).open("wb")
            # Some file systems have no locks; stale directories are then not removed.
            with contextlib.suppress(OSError):
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            self._directory.cleanup()
            raise

    def close(self) -> None:
        """Remove the directory. Safe to call twice."""
        self._directory.cleanup()
        self._lock.close()


@functools.cache
def _remove_stale() -> None:
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            _remove_if_stale(path)


def _remove_if_stale(path: Path) -> None:
    # Other users can write to the parent directory, so symbolic links are not followed.
    lock = os.open(path / _LOCK_NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        directory, file = path.lstat(), os.fstat(lock)
        is_ours = stat.S_ISDIR(directory.st_mode) and directory.st_uid == os.geteuid()
        if is_ours and stat.S_ISREG(file.st_mode) and time.time() - file.st_mtime > _MIN_AGE_S:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(lock)
