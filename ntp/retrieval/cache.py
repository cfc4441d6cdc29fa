"""Indices cached on disk, under a hash of everything that they are made from."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from ntp.errors import DataError


def cached_directory(directory: Path, fill: Callable[[Path], object]) -> Path:
    """A directory that is filled once and atomically, also if two processes fill it at the same time.

    Args:
        directory: Its name contains the hash of its inputs.
        fill: Writes the contents into the directory that it is given.

    Raises:
        DataError: It cannot be written.
    """
    if directory.is_dir():
        return directory
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    except OSError as error:
        raise DataError(f"{directory.parent}: cannot be written ({error.strerror})") from None
    try:
        fill(temporary)
        temporary.chmod(0o755)
        try:
            temporary.rename(directory)
        except OSError:  # another process was faster
            if not directory.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return directory
