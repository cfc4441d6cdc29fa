"""Extracts of single files, each stored as soon as it is complete: parallel, resumable, the largest first."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Mapping
from concurrent.futures import as_completed
from pathlib import Path
from typing import Any

from ntp.data.records import FileRecord
from ntp.data.workers import worker_pool
from ntp.errors import DataError
from ntp.jsonl import atomic_write, dump_record, load_record
from ntp.tracking.progress import ProgressReporter

SHARDS = "shards"


def prepare(directory: Path) -> None:
    """Make the directory of shards.

    Raises:
        DataError: It cannot be written.
    """
    with contextlib.suppress(OSError):
        directory.mkdir(parents=True, exist_ok=True)
    if not (directory.is_dir() and os.access(directory, os.W_OK)):
        raise DataError(f"{directory}: cannot be written; choose another output directory")


def is_complete(shard: Path, extract_type: type[Any]) -> bool:
    """Whether a shard is stored, readable and of a file without an error."""
    if not shard.is_file():
        return False
    try:
        return not load_record(shard, extract_type).file.error
    except DataError:
        return False


def make_shards(
    name: str,
    path_of: Callable[[str], Path],
    shards: Mapping[str, Path],
    extract_file: Callable[[str], Any],
    num_workers: int,
    counted: str,
) -> list[FileRecord]:
    """Extract files, the largest first so that no worker is left alone with one at the end.

    Args:
        name: What progress is called.
        path_of: Where a file is.
        shards: Where the extract of each file is stored.
        extract_file: Makes the extract of a file, whose `file` is its record; it is sent to workers.
        num_workers: Processes.
        counted: What progress counts of files beside them, `sentences` or `theorems`.

    Returns:
        The files' records, in the order in which they were done.

    Raises:
        EnvError: A worker died.
    """
    records: list[FileRecord] = []
    sizes = {file: _size(path_of(file)) for file in shards}
    with (
        ProgressReporter(name, sum(sizes.values()), "bytes") as progress,
        worker_pool(num_workers) as pool,
    ):
        store = functools.partial(_store, extract_file)
        order = sorted(shards, key=lambda file: (-sizes[file], file))
        futures = {pool.submit(store, file, shards[file]): file for file in order}
        number = 0
        for future in as_completed(futures):
            records.append(future.result())
            number += getattr(records[-1], f"num_{counted}")
            progress.advance(sizes[futures[future]], f"{len(records)} files, {number} {counted}")
    return records


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # the worker says what is wrong with it


def _store(extract_file: Callable[[str], Any], file: str, shard: Path) -> FileRecord:
    """Runs in a worker: extract a file and store its shard."""
    try:
        result = extract_file(file)
        with atomic_write(shard) as stream:
            stream.write(dump_record(result))
    except SystemExit:
        # The pool would take it for the task's result and go on to the next file.
        os._exit(1)
    return result.file
