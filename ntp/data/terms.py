"""What the terms of constants and tactics use: records in a directory beside a data set, or in it.

dependencies.jsonl   DependencyRecord: constants with what their terms use, sorted by name
step_terms.jsonl     TheoremTerms: theorems with what each of their tactics adds to the term
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ntp.jsonl import read_jsonl

# Where a data set has them, if they were read together with it.
TERMS = "terms"
DEPENDENCIES = "dependencies.jsonl"
STEP_TERMS = "step_terms.jsonl"


@dataclass(frozen=True, slots=True)
class DependencyRecord:
    """A constant and the constants in its term and type.

    Attributes:
        full_name: Fully qualified name.
        is_prop: Whether it is a proof: whether its type is a proposition.
        term: Names in its term, in order, each once; None for one that was only looked up because another
            uses it. For Lean what the tactics of its proof use, sorted.
        type: Names in its type, in the same way; None for Lean.
    """

    full_name: str
    is_prop: bool
    term: tuple[str, ...] | None = None
    type: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class StepTerms:
    """What one tactic uses.

    Attributes:
        constants: Full names of the constants in the part of the term that the tactic made: for Coq in order
            of first occurrence, for Lean sorted.
        hypotheses: Hypotheses named in the tactic whose types are propositions; None if unknown (Lean).
        predictions: Full names that CoqHammer's predictor gives in the state before the tactic, in the order
            in which they were declared; None if it was not asked or does not answer.
    """

    constants: tuple[str, ...]
    hypotheses: tuple[str, ...] | None
    predictions: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class TheoremTerms:
    """What the tactics of a theorem use.

    Attributes:
        theorem_id: Id of the theorem.
        steps: One for each recorded tactic.
    """

    theorem_id: str
    steps: tuple[StepTerms, ...]


def load_terms(directory: Path) -> tuple[list[DependencyRecord], list[TheoremTerms]]:
    """The records in a directory.

    Raises:
        DataError: A file is missing or corrupt.
    """
    dependencies = list(read_jsonl(directory / DEPENDENCIES, DependencyRecord))
    return dependencies, list(read_jsonl(directory / STEP_TERMS, TheoremTerms))
