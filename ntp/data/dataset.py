"""A data set: a directory of theorem, premise and file records."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ntp.data.records import FileRecord, Metadata, PremiseRecord, TheoremRecord
from ntp.data.sources import ORIGIN, SOURCES, Origin, SourceRecord
from ntp.errors import DataError
from ntp.jsonl import load_record, read_jsonl
from ntp.types import Theorem

THEOREMS = "theorems.jsonl"
PREMISES = "premises.jsonl"
FILES = "files.jsonl"
METADATA = "metadata.json"


@dataclass(frozen=True)
class Dataset:
    """Theorems, premises and files of one project, read on first use.

    Attributes:
        directory: Directory of the data set.
        metadata: Its prover, counts and content hash.
    """

    directory: Path
    metadata: Metadata

    @staticmethod
    def load(directory: Path) -> Dataset:
        """Open a data set.

        Raises:
            DataError: The directory contains none, or one of another schema version.
        """
        if not (directory / METADATA).is_file():
            raise DataError(f"{directory}: no data set here ({METADATA} is missing); extract it first")
        return Dataset(directory, load_record(directory / METADATA, Metadata))

    def iter_theorems(self) -> Iterator[TheoremRecord]:
        """Stream the theorem records, in order of file and position.

        Raises:
            DataError: A line is corrupt.
        """
        return read_jsonl(self.directory / THEOREMS, TheoremRecord)

    @cached_property
    def records(self) -> dict[str, TheoremRecord]:
        """Theorem records by id, in order of file and position."""
        return {record.theorem.id: record for record in self.iter_theorems()}

    @cached_property
    def files(self) -> tuple[FileRecord, ...]:
        """File records, sorted by path."""
        return tuple(read_jsonl(self.directory / FILES, FileRecord))

    @cached_property
    def premises(self) -> tuple[PremiseRecord, ...]:
        """Premise records, in order of file and position."""
        return tuple(read_jsonl(self.directory / PREMISES, PremiseRecord))

    @cached_property
    def sources(self) -> dict[str, str]:
        """Text of every file that replayed, by path; empty for data that comes without sources."""
        path = self.directory / SOURCES
        return {r.path: r.text for r in read_jsonl(path, SourceRecord)} if path.exists() else {}

    @cached_property
    def origin(self) -> Origin:
        """The repository that the sources come from, as far as it is known."""
        path = self.directory / ORIGIN
        return load_record(path, Origin) if path.exists() else Origin()

    @property
    def theorems(self) -> tuple[Theorem, ...]:
        """Every theorem, in order of file and position."""
        return tuple(record.theorem for record in self.records.values())

    def select(self, ids: Iterable[str]) -> tuple[TheoremRecord, ...]:
        """The theorem records with these ids, in the order of the ids.

        Raises:
            DataError: An id is unknown.
        """
        try:
            return tuple(self.records[i] for i in ids)
        except KeyError as error:
            raise DataError(
                f"{self.directory}: no theorem {error.args[0]!r}; the split belongs to another data set"
            ) from None


def content_hash(directory: Path) -> str:
    """SHA-256 over the JSONL files of a data set."""
    digest = hashlib.sha256()
    for name in (FILES, PREMISES, THEOREMS):
        with (directory / name).open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
