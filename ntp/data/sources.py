"""The source texts of a data set, which its spans point into, and where they come from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ntp.data.records import FileRecord
from ntp.errors import DataError
from ntp.jsonl import atomic_write, dump_record, write_jsonl

SOURCES = "sources.jsonl"
ORIGIN = "origin.json"


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """A source file's text.

    Attributes:
        path: As in `FileRecord`.
        text: The whole file, decoded.
    """

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Origin:
    """The repository that the sources of a data set come from; what is unknown is empty.

    Attributes:
        name: Short name of the repository.
        url: Where it can be cloned from.
        commit: The commit that was read.
        licence: SPDX identifier of its licence.
        date: Date of the commit, as YYYY-MM-DD.
    """

    name: str = ""
    url: str = ""
    commit: str = ""
    licence: str = ""
    date: str = ""


def write_sources(directory: Path, files: Iterable[FileRecord], read: Callable[[str], str]) -> int:
    """Write the texts of a data set's files, but for those that did not replay.

    Args:
        directory: Directory of the data set.
        files: Its files.
        read: Reads a file of the project.

    Returns:
        The number of texts written.

    Raises:
        DataError: A file is not the one that was extracted, or the directory cannot be written.
    """
    return write_jsonl(directory / SOURCES, _texts(files, read))


def write_origin(directory: Path, origin: Origin) -> None:
    """Write where the sources of a data set come from.

    Raises:
        DataError: The directory cannot be written.
    """
    with atomic_write(directory / ORIGIN) as stream:
        stream.write(dump_record(origin) + "\n")


def _texts(files: Iterable[FileRecord], read: Callable[[str], str]) -> Iterator[SourceRecord]:
    for file in files:
        if file.error:
            continue
        text = read(file.path)
        if file.sha256 and hashlib.sha256(text.encode()).hexdigest() != file.sha256:
            raise DataError(f"{file.path} was changed while it was extracted: run the same command again")
        yield SourceRecord(file.path, text)
