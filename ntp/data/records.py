"""The schema of a data set: one for Coq and Lean.

A data set is a directory (`ntp.data.dataset`) of

    theorems.jsonl   TheoremRecord: theorems with their recorded proofs, in order of file and position
    premises.jsonl   PremiseRecord: every definition and lemma that a proof may use
    files.jsonl      FileRecord: the sources with their import graph, sorted by path
    metadata.json    Metadata

All offsets are spans of characters (code points) of the source, so 'the source up to here' is a slice of the
file and is not stored. Files are paths relative to the project's root, with `/`. Lean's data comes without
sources: its spans hold packed lines and columns (`ntp.envs.lean.positions`).

What a step is. Only tactics are steps. Structure (bullets, braces, `Proof`, `Proof using`, `Proof with`) and
commands inside a proof (`Show`, `Set`, `Opaque`, ...) are replayed and not recorded, and goals are given as
they stand without the focus that structure imposes: `before` is the first goal the tactic acts on, `after`
the first goal of the whole proof once the tactic has run. A theorem whose proof is a term, or which was
admitted or aborted, is not recorded.
"""

from __future__ import annotations

from dataclasses import dataclass

from ntp.jsonl import read_jsonl, write_jsonl
from ntp.types import Goal, Span, Theorem

__all__ = [
    "FileRecord",
    "Metadata",
    "PremiseRecord",
    "PremiseUse",
    "StepRecord",
    "TheoremRecord",
    "read_jsonl",
    "write_jsonl",
]

DERIVED = "derived"
EXTERNAL = "external"


@dataclass(frozen=True, slots=True)
class PremiseUse:
    """A premise named in a tactic.

    Attributes:
        full_name: Fully qualified name.
        file: Where it is defined; for a library outside the project its logical name as a path.
    """

    full_name: str
    file: str


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One tactic of a recorded proof.

    Attributes:
        tactic: Its text without comments, blanks collapsed, terminator included.
        span: Where it stands in the source.
        before: The first goal before it.
        num_other_goals: Goals that remain in addition to `before`, unfocused ones included, shelved ones not.
        after: The first goal of the whole proof after it; None when no goal is left.
        num_goals_after: All goals after it, counted as for `num_other_goals`.
        premises: Names written in the tactic, in order of first occurrence, each once.
        other_goals: The other goals, printed, where a policy reads them too: Lean's. Empty for Coq.
    """

    tactic: str
    span: Span
    before: Goal
    num_other_goals: int
    after: Goal | None
    num_goals_after: int
    premises: tuple[PremiseUse, ...]
    other_goals: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """The state before the tactic as a policy reads it."""
        return "\n\n".join((str(self.before), *self.other_goals))


@dataclass(frozen=True, slots=True)
class TheoremRecord:
    """A theorem and its recorded proof.

    Attributes:
        theorem: Identity, statement and place.
        prover: `coq`, `lean` or `lean3`.
        module: Logical name of the file's module.
        kind: The declaring keyword, as `Lemma` or `Instance`.
        closing: How the proof ends, as `Qed` or `Defined`; empty for Lean.
        steps: At least one for Coq. Lean's data also has theorems whose proof is a term, or is not given.
    """

    theorem: Theorem
    prover: str
    module: str
    kind: str
    closing: str
    steps: tuple[StepRecord, ...]

    @property
    def closes(self) -> bool:
        """Whether there are steps and the last leaves no goal."""
        return bool(self.steps) and self.steps[-1].after is None


@dataclass(frozen=True, slots=True)
class PremiseRecord:
    """A definition or lemma.

    Attributes:
        full_name: Fully qualified name; unique within its file.
        kind: The declaring keyword, `Constructor` or `Field`; `derived` for what a declaration makes besides
            itself (induction principles, the contents of an applied functor or an `Include`); `external` for
            what lies outside the project.
        statement: Source text over `span`; the printed type when the source has none.
        file: As in `PremiseUse`.
        span: Where the declaration stands; None when the source has none.
    """

    full_name: str
    kind: str
    statement: str
    file: str
    span: Span | None


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A source file.

    Attributes:
        path: Relative to the project's root.
        module: Logical name.
        imports: Files of this project that it requires directly, in order; logical names for others.
        sha256: Of its content.
        num_sentences: Sentences replayed.
        num_theorems: Theorems recorded.
        error: Why it did not replay, as `line:column: message`; empty when it did. Nothing else of such a
            file is recorded.
        url: Repository it comes from, empty when unknown.
        commit: Commit of that repository, empty when unknown.
    """

    path: str
    module: str
    imports: tuple[str, ...]
    sha256: str
    num_sentences: int
    num_theorems: int
    error: str = ""
    url: str = ""
    commit: str = ""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a data set is and holds.

    Attributes:
        prover: `coq`, `lean` or `lean3`.
        prover_version: As the prover says; empty when unknown.
        num_files: Files, failed ones included.
        num_failed_files: Files that did not replay.
        num_sentences: Sentences replayed.
        num_theorems: Theorem records.
        num_steps: Step records in them.
        num_premises: Premise records.
        num_premises_used: Distinct premises named in steps.
        num_premises_declared: How many of those stand in a source of the project; the others are derived or
            external.
        content_hash: SHA-256 over the three JSONL files.
    """

    prover: str
    prover_version: str
    num_files: int
    num_failed_files: int
    num_sentences: int
    num_theorems: int
    num_steps: int
    num_premises: int
    num_premises_used: int
    num_premises_declared: int
    content_hash: str
