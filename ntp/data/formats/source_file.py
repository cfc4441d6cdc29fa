"""A file of a data set with its text and its theorems, as every output format reads it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from ntp.data.dataset import Dataset
from ntp.data.records import FileRecord, PremiseRecord, StepRecord, TheoremRecord
from ntp.envs.lean.positions import Lines
from ntp.types import Span


@dataclass(frozen=True)
class Proof:
    """A theorem with the texts that formats cut out of its file; None where the file's text is not kept.

    `src_up_to_decl + decl + proof` is the file up to the end of the proof.

    Attributes:
        record: The theorem.
        src_up_to_decl: The file before the theorem.
        decl: Its statement, with the blanks after it.
        proof: From the first word of the proof to its closing sentence; for Lean from `:=` (or what else
            begins it) to its end.
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
        text: Its text; None for data that comes without it.
        theorems: Its theorems in order of position. Where the text is known, their spans are offsets, for
            Lean too, whose data sets have packed positions instead.
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

    def placed(self, premises: Iterable[PremiseRecord]) -> list[PremiseRecord]:
        """What the file declares as the data set has it, with spans as those of its theorems."""
        if self.text is None or self.prover == "coq":
            return list(premises)
        lines = Lines(self.text)
        return [p if p.span is None else replace(p, span=_offsets(p.span, lines)) for p in premises]

    def _proof(self, record: TheoremRecord) -> Proof:
        theorem, text = record.theorem, self.text
        if text is None:
            return Proof(record, None, theorem.statement, None)
        begin, end = theorem.declaration.begin, theorem.proof.end
        if self.prover != "coq":
            cut = theorem.proof.begin
            if cut == end:  # where the proof begins is not known, or there is none
                return Proof(record, text[:begin], theorem.statement, None)
            return Proof(record, text[:begin], text[begin:cut], text[cut:end] or None)
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
            text, prover = dataset.sources.get(file.path), dataset.metadata.prover
            if text is not None and prover != "coq":
                lines = Lines(text)
                found = tuple(_with_offsets(record, lines) for record in found)
            yield SourceFile(file, text, found, prover)


def _with_offsets(record: TheoremRecord, lines: Lines) -> TheoremRecord:
    theorem = record.theorem
    spans = {
        "declaration": _offsets(theorem.declaration, lines), "proof": _offsets(theorem.proof, lines)
    }  # fmt: skip
    # A step without a place has an empty span at the beginning of the file, which stays what it is.
    steps = tuple(replace(step, span=_offsets(step.span, lines)) for step in record.steps)
    return replace(record, theorem=replace(theorem, **spans), steps=steps)


def _offsets(span: Span, lines: Lines) -> Span:
    return Span(lines.offset(span.begin), lines.offset(span.end))


def position_of(text: str, offset: int) -> tuple[int, int]:
    """Line, from 1, and column, from 0, of an offset."""
    line_begin = text.rfind("\n", 0, offset) + 1
    return text.count("\n", 0, offset) + 1, offset - line_begin
