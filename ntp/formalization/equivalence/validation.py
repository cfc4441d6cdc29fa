"""How far outcomes agree with what is known of pairs."""

from __future__ import annotations

from collections.abc import Sequence

from ntp.formalization.equivalence.outcome import Outcome
from ntp.formalization.equivalence.records import JudgedPair

EQUIVALENT, DIFFERENT = "equivalent", "different"


def agreement(judged: Sequence[JudgedPair]) -> dict[str, float]:
    """Precision and recall of the outcome `equivalent` on pairs of known label, and its rate on the others.

    Precision is the share of pairs known to be equivalent among those of known label that are judged so;
    recall is the share judged so among those known to be. What is not defined is left out.
    """
    found = {EQUIVALENT: 0, DIFFERENT: 0, "": 0}
    sizes = dict.fromkeys(found, 0)
    for result in judged:
        label = result.label if result.label in found else ""
        sizes[label] += 1
        found[label] += result.judgement is not None and result.judgement.outcome == Outcome.EQUIVALENT
    numbers: dict[str, float] = {}
    positive = found[EQUIVALENT] + found[DIFFERENT]
    if sizes[EQUIVALENT] and sizes[DIFFERENT] and positive:
        numbers["precision"] = found[EQUIVALENT] / positive
    if sizes[EQUIVALENT]:
        numbers["recall"] = found[EQUIVALENT] / sizes[EQUIVALENT]
    if sizes[EQUIVALENT] or sizes[DIFFERENT]:
        numbers |= {"num_known_equivalent": sizes[EQUIVALENT], "num_known_different": sizes[DIFFERENT]}
        if sizes[""]:
            numbers["equivalent_rate_of_unknown"] = found[""] / sizes[""]
    return numbers
