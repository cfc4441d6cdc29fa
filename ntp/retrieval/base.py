"""The interface of retrievers, and the selection of the highest scores."""

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
    """A retrieved premise.

    Attributes:
        premise: The premise.
        number: Its index in the corpus.
        score: How well it fits the state; comparable only within one query of one retriever.
    """

    premise: PremiseRecord
    number: int
    score: float


class Retriever(Protocol):
    """Finds premises for proof states."""

    def retrieve(self, states: Sequence[str], theorems: Sequence[Theorem], num: int) -> list[list[Retrieved]]:
        """For each state, the `num` best premises that its theorem's proof may use, best first.

        Fewer only if fewer are accessible. Premises with equal scores are in corpus order.

        Args:
            states: States as a policy reads them.
            theorems: The theorem of each state.
            num: Maximum number of premises per state.

        Raises:
            DataError: What a theorem may use is unknown.
        """
        ...


def best(score_M: NDArray[np.floating], mask_M: NDArray[np.bool_], num: int) -> NDArray[np.intp]:
    """Indices of the `num` highest scores where `mask_M` is true, best first, ties in order of index.

    Args:
        score_M: M scores.
        mask_M: M flags.
        num: Maximum number of indices; fewer are returned if fewer flags are set.
    """
    allowed = np.flatnonzero(mask_M)
    score = score_M[allowed]
    if 0 < num < len(score):
        # Everything that ties for the last place, so that the lowest index wins.
        threshold = np.partition(score, len(score) - num)[len(score) - num]
        allowed, score = allowed[score >= threshold], score[score >= threshold]
    return allowed[np.argsort(-score, kind="stable")[:num]]
