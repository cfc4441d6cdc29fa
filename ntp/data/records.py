"""The schema of a data set: one for Coq and Lean.

A data set is a directory (`ntp.data.dataset`) of

    theorems.jsonl   TheoremRecord: theorems with their recorded proofs, in order of file and position
    premises.jsonl   PremiseRecord: every definition and lemma that a proof may use
    files.jsonl      FileRecord: the sources with their import graph, sorted by path
    sources.jsonl    SourceRecord (`ntp.data.sources`): the text of every file that replayed
    origin.json      Origin (`ntp.data.sources`): the repository; absent if unknown
    metadata.json    Metadata

    terms/           what terms use (`ntp.data.terms`); absent if it was not read with the rest

Spans count characters (code points) of the source, so the source up to a place is a slice of its text. Files
are paths relative to the project's root, with `/`. Spans of Lean's data hold packed lines and columns instead
(`ntp.envs.lean.positions`), because LeanDojo gives those without the sources; `ntp.data.formats.source_file`
makes offsets of them where the text is known. A LeanDojo Benchmark that was read without a checkout of its
repository has no `sources.jsonl`, and its steps have no place (an empty span at the beginning of the file).

Only tactics are recorded as steps. Structure (bullets, braces, `Proof`, `Proof using`, `Proof with`) and
commands inside a proof (`Show`, `Set`, `Opaque`, ...) are replayed but not recorded, and goals are recorded
without the focus that structure imposes: `before` is the first goal that the tactic acts on, `after` is the
first goal of the whole proof after the tactic. A theorem is not recorded if its proof is a term, or if it was
admitted or aborted.

For Lean, tactics inside other tactics are steps too, after those that they are in, and each has the goals
that it sees where it stands: inside `·` or `case` that is one. `after` is the first goal it leaves there.
"""

from __future__ import annotations

from dataclasses import dataclass

from ntp.types import Goal, Span, Theorem

DERIVED = "derived"
EXTERNAL = "external"


@dataclass(frozen=True, slots=True)
class PremiseUse:
    """A premise named in a tactic.

    Attributes:
        full_name: Fully qualified name.
        file: File that defines it; for a library outside the project, its logical name as a path.
    """

    full_name: str
    file: str


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One tactic of a recorded proof.

    Attributes:
        tactic: Its text without comments; for Coq with blanks collapsed and with its terminator, for Lean
            without the indentation of its place.
        span: Its place in the source.
        before: The first goal before it.
        num_other_goals: Number of goals in addition to `before`, with unfocused but without shelved ones.
        after: The first goal of the whole proof after it; None if no goal is left.
        num_goals_after: Number of goals after it, counted as for `num_other_goals`.
        premises: Premises named in the tactic, in order of first occurrence, each once.
        other_goals: The other goals as printed, for provers whose policy reads them (Lean); empty for Coq.
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
        """The state before the tactic, as a policy reads it."""
        return "\n\n".join((str(self.before), *self.other_goals))


@dataclass(frozen=True, slots=True)
class TheoremRecord:
    """A theorem and its recorded proof.

    Attributes:
        theorem: Id, statement and place.
        prover: `coq`, `lean` or `lean3`.
        module: Logical name of the file's module.
        kind: The declaring keyword, as `Lemma` or `Instance`.
        closing: The command that ends the proof, as `Qed` or `Defined`; empty for Lean.
        steps: At least one for Coq. Lean's data also has theorems whose proof is a term or is missing.
    """

    theorem: Theorem
    prover: str
    module: str
    kind: str
    closing: str
    steps: tuple[StepRecord, ...]

    @property
    def closes(self) -> bool:
        """Whether there are steps and the last one leaves no goal."""
        return bool(self.steps) and self.steps[-1].after is None


@dataclass(frozen=True, slots=True)
class PremiseRecord:
    """A definition or lemma.

    Attributes:
        full_name: Fully qualified name; unique within its file.
        kind: The declaring keyword, `Constructor` or `Field`; `derived` for what a declaration generates
            (induction principles, the contents of an applied functor or an `Include`); `external` for
            premises outside the project.
        statement: Source text in `span`, for Lean without a proof or value; the printed type if no source
            declares it.
        file: As in `PremiseUse`.
        span: Place of the declaration; None if no source declares it.
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
        imports: What it imports directly, in order: files of this project, logical names of other libraries.
        sha256: SHA-256 of its content.
        num_sentences: Number of sentences replayed; for Lean of tactics elaborated.
        num_theorems: Number of theorems recorded.
        error: Why it did not replay, as `line:column: message`; empty if it did. Nothing else of a file with
            an error is recorded.
        url: Repository it comes from; empty if unknown.
        commit: Commit of that repository; empty if unknown.
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
    """Prover and contents of a data set.

    Attributes:
        prover: `coq`, `lean` or `lean3`.
        prover_version: As reported by the prover; empty if unknown.
        num_files: Number of files, including failed ones.
        num_failed_files: Number of files that did not replay.
        num_sentences: Number of sentences replayed.
        num_theorems: Number of theorem records.
        num_steps: Number of step records in them.
        num_premises: Number of premise records.
        num_premises_used: Number of distinct premises named in steps.
        num_premises_declared: Number of those that a source of the project declares; the others are derived
            or external.
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
