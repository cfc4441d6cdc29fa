"""What a retriever is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

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
