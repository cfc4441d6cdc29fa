"""What a retriever is, and how the best of many scores are chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ntp.data.records import PremiseRecord
from ntp.types import Theorem


@dataclass(frozen=True, slots=True)
class Retrieved:
    """A premise that was found.

    Attributes:
        premise: The premise.
        number: Its place in the corpus.
        score: How well it fits the state; comparable within one query of one retriever only.
    """

    premise: PremiseRecord
    number: int
    score: float


class Retriever(Protocol):
    """Finds premises for proof states."""

    def retrieve(self, states: Sequence[str], theorems: Sequence[Theorem], num: int) -> list[list[Retrieved]]:
        """For each state, the `num` best premises that its theorem's proof may use, best first.

        Fewer only where fewer are accessible. Equal scores are in order of the corpus.

        Args:
            states: States as a policy reads them.
            theorems: Whose proof each state belongs to.
            num: How many are wanted.

        Raises:
            DataError: What a theorem may use is unknown.
        """
        ...


def best(score_M: NDArray[np.floating], mask_M: NDArray[np.bool_], num: int) -> NDArray[np.intp]:
    """Indices of the `num` highest scores where `mask_M` holds, best first, equal ones in order of index.

    Args:
        score_M: M scores.
        mask_M: M flags.
        num: How many are wanted; fewer come back where fewer flags are set.
    """
    allowed = np.flatnonzero(mask_M)
    score = score_M[allowed]
    if 0 < num < len(score):
        # All that reach the last place, since of equal scores the first shall win.
        threshold = np.partition(score, len(score) - num)[len(score) - num]
        allowed, score = allowed[score >= threshold], score[score >= threshold]
    return allowed[np.argsort(-score, kind="stable")[:num]]
