"""The texts of a LeanDojo Benchmark's files, from a checkout of the repository that it was traced from."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from ntp.data.checkout import git
from ntp.data.lean.declarations import THEOREMS
from ntp.data.lean.lake import LakeProject
from ntp.data.records import FileRecord, PremiseRecord, TheoremRecord
from ntp.data.sources import SOURCES, SourceRecord
from ntp.envs.lean.positions import Lines
from ntp.envs.lean.syntax import LeanSyntaxError, statement_end, tokens
from ntp.errors import DataError
from ntp.jsonl import write_jsonl
from ntp.types import Span

_log = logging.getLogger(__name__)


class BenchmarkTexts:
    """Reads texts and compares them with the positions that the benchmark gives.

    Args:
        repository: The checkout.
        premises: The benchmark's premises.

    Raises:
        DataError: There is no such directory.
    """

    def __init__(self, repository: Path, premises: Iterable[PremiseRecord]) -> None:
        if not repository.is_dir():
            raise DataError(f"data.repository={repository} is no directory: give a checkout")
        self._project = LakeProject(repository)
        self._spans: dict[str, list[Span]] = defaultdict(list)
        for premise in premises:
            if premise.span is not None:
                self._spans[premise.file].append(premise.span)
        self._other_version: set[str] = set()

    def warn_of_other_commit(self, repositories: Mapping[str, tuple[str, str]]) -> None:
        """Say so if the checkout is at another commit than the benchmark.

        Args:
            repositories: URL and commit by file.
        """
        counted = Counter(commit for _, commit in repositories.values() if commit)
        head = head_of(self._project.root)
        if head and counted and head not in counted:
            (commit, _) = counted.most_common(1)[0]
            _log.warning("data.repository=%s is at %s, the benchmark at %s", self._project.root, head, commit)

    def placed(self, records: Iterable[TheoremRecord]) -> Iterator[TheoremRecord]:
        """The theorems, with the places of their proofs where their files are as the benchmark says.

        Args:
            records: In order of file.
        """
        for path, group in groupby(records, key=lambda record: record.theorem.file):
            of_file = tuple(group)
            text = self._read(path)
            if text is None:
                yield from of_file
                continue
            lines = Lines(text)
            if all(_is_at_its_place(record, text, lines) for record in of_file):
                yield from (_with_proof(record, text, lines) for record in of_file)
            else:
                self._other_version.add(path)
                yield from of_file

    def write(self, directory: Path, files: Sequence[FileRecord]) -> int:
        """Write the texts of the files, after all theorems were placed.

        Returns:
            The number of files without one: those that are not in the checkout, or not as the benchmark says.
        """
        return len(files) - write_jsonl(directory / SOURCES, self._texts(files))

    def _texts(self, files: Sequence[FileRecord]) -> Iterator[SourceRecord]:
        for file in files:
            text = None if file.path in self._other_version else self._read(file.path)
            if text is not None:
                yield SourceRecord(file.path, text)

    def _read(self, path: str) -> str | None:
        """A file's text if it has all places of its premises."""
        root = self._project.root.resolve()
        if not (root / path).resolve().is_relative_to(root):
            return None
        try:
            text = self._project.read(path)
        except DataError:
            return None
        lines = Lines(text)
        return text if all(_offsets(span, lines) for span in self._spans[path]) else None


def head_of(directory: Path) -> str:
    """The commit of a checkout; empty if it is none."""
    try:
        return git(["-C", str(directory), "rev-parse", "HEAD"], str(directory)).strip()
    except DataError:
        return ""


def _offsets(span: Span, lines: Lines) -> Span | None:
    try:
        return Span(lines.offset(span.begin), lines.offset(span.end))
    except ValueError:
        return None


def _is_at_its_place(record: TheoremRecord, text: str, lines: Lines) -> bool:
    span = _offsets(record.theorem.declaration, lines)
    name = record.theorem.id.partition("#")[0].rpartition(".")[2].strip("«»")
    return span is not None and name in text[span.begin : span.end]


def _with_proof(record: TheoremRecord, text: str, lines: Lines) -> TheoremRecord:
    """The record with the place of the proof in it; as it is if the declaration cannot be cut."""
    theorem = record.theorem
    span = _offsets(theorem.declaration, lines)
    assert span is not None
    whole = text[span.begin : span.end]
    try:
        found = [token for token in tokens(whole) if token.kind != "comment"]
    except LeanSyntaxError:
        return record
    keyword = next((i for i, t in enumerate(found) if t.depth == 0 and t.text in THEOREMS), None)
    if keyword is None:
        return record
    cut = span.begin + statement_end(whole, found[keyword + 1 :])
    proof = Span(lines.pack(cut), theorem.declaration.end)
    statement = theorem.statement or text[span.begin : cut].rstrip()
    return replace(record, theorem=replace(theorem, statement=statement, proof=proof))
