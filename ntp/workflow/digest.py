"""Digests of files and folders that a result depends on."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path


def path_digest(path: Path) -> str:
    """SHA-256 of a file with its name, or of a folder's files with theirs.

    A gigabyte takes a second or two, so each file is read once per process.
    """
    digest = hashlib.sha256()
    root = path if path.is_dir() else path.parent
    for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
        status = file.stat()
        digest.update(file.relative_to(root).as_posix().encode())
        digest.update(_file_digest(file, status.st_size, status.st_mtime_ns))
    return digest.hexdigest()


@cache
def _file_digest(file: Path, size: int, mtime_ns: int) -> bytes:  # noqa: ARG001 - part of the cache's key
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()
