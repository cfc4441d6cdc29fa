"""Formal texts of a data set: statements, proofs and proof states."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ntp.data.records import TheoremRecord
from ntp.formalization.alignment.sources.documents import Document
from ntp.types import Goal


def statements(records: Sequence[TheoremRecord]) -> Iterator[Document]:
    """The statement of every theorem."""
    for record in records:
        yield Document(record.theorem.statement, record.theorem.file)


def proofs(records: Sequence[TheoremRecord]) -> Iterator[Document]:
    """The tactics of every theorem, one a line."""
    for record in records:
        if record.steps:
            yield Document("\n".join(step.tactic for step in record.steps), record.theorem.file)


def proof_states(records: Sequence[TheoremRecord]) -> Iterator[Document]:
    """The goal before every tactic."""
    for record in records:
        for step in record.steps:
            yield Document(_shown(step.before), record.theorem.file)


def _shown(goal: Goal) -> str:
    return "\n".join([*goal.hypotheses, "=" * 28, goal.conclusion])
