"""(state, tactic) pairs of human proofs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TacticPair:
    """A proof state as the policy reads it and the tactic a human used there."""

    state: str
    tactic: str


def unique_pairs(pairs: Iterable[TacticPair]) -> list[TacticPair]:
    """Drop repeated pairs, keeping first occurrences in order."""
    return list(dict.fromkeys(pairs))
