"""ntp-toolkit's outputs with an example for each tactic: TacticPrediction and TrainingDataWithPremises.

Field names and their order are the toolkit's (cmu-l3/ntp-toolkit, README). `declId` is the theorem's id.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ntp.data.formats.source_file import Proof, SourceFile
from ntp.data.formats.uses import StepUses, Uses, union
from ntp.data.records import StepRecord

# Rewriting and simplification by lemmas, in both provers' spellings.
_SIMP_OR_RW = frozenset(
    {
        "rewrite", "erewrite", "setoid_rewrite", "rewrite_strat", "autorewrite", "simpl", "cbn", "simp",
        "simp_all", "simpa", "simp_rw", "dsimp", "rw", "rwa", "erw", "nth_rewrite", "nth_rw",
    }
)  # fmt: skip
_BEFORE_A_TACTIC = ("now", "try", "repeat", "do", "progress", "by")


def tactic_predictions(file: SourceFile) -> Iterator[dict[str, Any]]:
    """A row for each tactic: the source up to it, the state, and the tactic."""
    for proof in file.proofs():
        for step in proof.record.steps:
            yield _prediction(file, proof, step)


def tactics_with_premises(file: SourceFile, uses: Uses) -> Iterator[dict[str, Any]]:
    """A row for each tactic, with eighteen fields about what it, the rest of its goal and the proof use.

    A field whose source is missing (no proof terms) is null.

    Args:
        file: The file.
        uses: What tactics use.
    """
    for proof in file.proofs():
        steps = proof.record.steps
        of_steps = uses.of_steps(proof.record)
        of_decl = _fields(
            replace(union(of_steps), term_premises=uses.term_premises(proof.record)), "decl", ""
        )
        del of_decl["declExplicitLocalHypotheses"]
        for index, step in enumerate(steps):
            end = end_of_goal(steps, index)
            to_end = _fields(union(of_steps[index:end]), "", "ToEndOfGoal")
            del to_end["explicitLocalHypothesesToEndOfGoal"]
            yield {
                **_prediction(file, proof, step),
                "declName": proof.id,
                "nextTacticIsSimpOrRwVariant": is_simp_or_rw(step.tactic),
                **_fields(of_steps[index], "nextTactic", ""),
                **of_decl,
                **to_end,
            }


def is_simp_or_rw(tactic: str) -> bool:
    """Whether a tactic begins with a variant of `rewrite` or `simpl`, prefixes such as `now` aside."""
    words = tactic.replace(";", " ").rstrip(".").split()
    while words and words[0] in _BEFORE_A_TACTIC:
        words.pop(0)
    return bool(words) and words[0].strip("![]") in _SIMP_OR_RW


def end_of_goal(steps: Sequence[StepRecord], index: int) -> int:
    """The index after the tactic that closes the goal on which tactic `index` acts.

    That goal is closed when fewer goals are left than there were others: the goals that a tactic makes stand
    before the others.
    """
    others = steps[index].num_other_goals
    for last in range(index, len(steps)):
        if steps[last].num_goals_after <= others:
            return last + 1
    return len(steps)


def _prediction(file: SourceFile, proof: Proof, step: StepRecord) -> dict[str, Any]:
    before = file.up_to(step)
    begin = proof.record.theorem.declaration.begin
    return {
        "state": step.state,
        "nextTactic": step.tactic,
        "srcUpToTactic": before,
        "declUpToTactic": None if before is None else before[begin:],
        "decl": proof.decl,
        "declId": proof.id,
    }


def _fields(uses: StepUses, prefix: str, suffix: str) -> dict[str, list[str] | None]:
    values = {
        "TermPremises": uses.term_premises,
        "ExplicitConstants": uses.constants,
        "ExplicitPremises": uses.premises,
        "ExplicitLocalHypotheses": uses.hypotheses,
        "AllPremises": uses.all_premises,
        "HammerRecommendation": uses.hammer,
    }
    fields = {}
    for name, value in values.items():
        key = f"{prefix}{name}{suffix}"
        fields[key[0].lower() + key[1:]] = None if value is None else list(value)
    return fields
