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


def precision_at_recall(values: Sequence[float], is_equivalent: Sequence[bool], recall: float) -> float:
    """The best precision of a graded score, cut at a threshold that reaches a recall on the same pairs.

    The threshold is chosen on the pairs themselves, which favours the score.

    Args:
        values: The score of each pair, higher for pairs that are alike.
        is_equivalent: What is known of each pair.
        recall: The least recall, over 0.

    Raises:
        ValueError: No pair is equivalent, or no threshold reaches the recall.
    """
    num_equivalent = sum(is_equivalent)
    if not num_equivalent or not 0 < recall <= 1:
        raise ValueError("a precision needs equivalent pairs, and a recall over 0")
    best = 0.0
    for threshold in sorted(set(values)):
        chosen = [known for value, known in zip(values, is_equivalent, strict=True) if value >= threshold]
        if sum(chosen) / num_equivalent >= recall:
            best = max(best, sum(chosen) / len(chosen))
    return best
