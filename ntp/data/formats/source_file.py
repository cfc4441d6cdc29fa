"""A file of a data set with its text and its theorems, as every output format reads it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from ntp.data.dataset import Dataset
from ntp.data.records import FileRecord, StepRecord, TheoremRecord


@dataclass(frozen=True)
class Proof:
    """A theorem with the texts that formats cut out of its file; None where the file's text is not kept.

    `src_up_to_decl + decl + proof` is the file up to the end of the proof.

    Attributes:
        record: The theorem.
        src_up_to_decl: The file before the theorem.
        decl: Its statement, with the blanks after it.
        proof: From the first word of the proof to its closing sentence.
    """

    record: TheoremRecord
    src_up_to_decl: str | None
    decl: str
    proof: str | None

    @property
    def id(self) -> str:
        """What joins all outputs: the theorem's id."""
        return self.record.theorem.id


@dataclass(frozen=True)
class SourceFile:
    """A file of a data set.

    Attributes:
        record: The file.
        text: Its text; None for data that comes without sources, whose spans are no offsets.
        theorems: Its theorems in order of position.
        prover: `coq`, `lean` or `lean3`.
    """

    record: FileRecord
    text: str | None
    theorems: tuple[TheoremRecord, ...]
    prover: str

    def proofs(self) -> Iterator[Proof]:
        """The theorems with their texts."""
        return map(self._proof, self.theorems)

    def up_to(self, step: StepRecord) -> str | None:
        """The file before a tactic."""
        known = self.text is not None and step.span.end > 0
        return self.text[: step.span.begin] if self.text is not None and known else None

    def _proof(self, record: TheoremRecord) -> Proof:
        theorem, text = record.theorem, self.text
        if text is None:
            return Proof(record, None, theorem.statement, None)
        begin, end = theorem.declaration.begin, theorem.proof.end
        whole = text[begin:end]
        if not whole.startswith(theorem.statement):
            return Proof(record, text[:begin], theorem.statement, None)
        rest = whole[len(theorem.statement) :]
        blanks = rest[: len(rest) - len(rest.lstrip())]
        return Proof(record, text[:begin], theorem.statement + blanks, rest[len(blanks) :])


def source_files(dataset: Dataset) -> Iterator[SourceFile]:
    """The files of a data set that replayed, in its order; theorems are read as they are needed."""
    theorems = groupby(dataset.iter_theorems(), key=lambda record: record.theorem.file)
    waiting = next(theorems, None)
    for file in dataset.files:
        found: tuple[TheoremRecord, ...] = ()
        if waiting is not None and waiting[0] == file.path:
            found = tuple(waiting[1])
            waiting = next(theorems, None)
        if not file.error:
            yield SourceFile(file, dataset.sources.get(file.path), found, dataset.metadata.prover)


def position_of(text: str, offset: int) -> tuple[int, int]:
    """Line, from 1, and column, from 0, of an offset."""
    line_begin = text.rfind("\n", 0, offset) + 1
    return text.count("\n", 0, offset) + 1, offset - line_begin
