"""Temporary directories of provers, and those that killed processes have left.

Each holds a file that its process keeps locked. The lock ends with the process, however that ends, so a free
lock in an old directory says that nobody will remove it.
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
# Says that the directory is ours, and on this machine: of another's locks, a shared file system may not know.
_LOCK_NAME = f".ntp-prover-{os.uname().nodename}.lock"
# Older than one that is being made and not yet locked.
_MIN_AGE_S = 60.0


class Scratch:
    """A temporary directory. The first one of a process removes those that were left.

    Attributes:
        path: Where it is, until `close`.
    """

    def __init__(self) -> None:
        _remove_left()
        self._directory = tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True)
        self.path = Path(self._directory.name)
        try:
            self._lock = (self.path / _LOCK_NAME).open("wb")
            # Not everywhere can files be locked; there, nothing that was left is removed.
            with contextlib.suppress(OSError):
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            self._directory.cleanup()
            raise

    def close(self) -> None:
        """Remove it. Safe to call twice."""
        self._directory.cleanup()
        self._lock.close()


@functools.cache
def _remove_left() -> None:
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            _remove_if_left(path)


def _remove_if_left(path: Path) -> None:
    # Others can write where it lies: nothing is followed that leads elsewhere.
    lock = os.open(path / _LOCK_NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        directory, file = path.lstat(), os.fstat(lock)
        is_ours = stat.S_ISDIR(directory.st_mode) and directory.st_uid == os.geteuid()
        if is_ours and stat.S_ISREG(file.st_mode) and time.time() - file.st_mtime > _MIN_AGE_S:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(lock)
