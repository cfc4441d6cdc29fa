"""What a comparison of two statements ends with."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How a candidate relates to a reference.

    Only what a checked proof shows is said: NOT_SHOWN is no evidence that two statements differ.
    """

    EQUIVALENT = "equivalent"
    IMPLIES = "implies"
    IMPLIED_BY = "implied_by"
    NOT_SHOWN = "not_shown"
    ILL_TYPED = "ill_typed"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The outcome for one candidate, and what it rests on.

    Attributes:
        outcome: A value of `Outcome`: EQUIVALENT, IMPLIES (the candidate implies the reference), IMPLIED_BY
            (the reference implies it), NOT_SHOWN, ILL_TYPED (it is not one term of type Prop), or TIMEOUT
            (stating it exceeded its budget of time or memory, or the comparison ended before all was tried).
        forward: Stage that proved the reference from the candidate; empty for none.
        backward: Stage that proved the candidate from the reference; empty for none.
        reason: Why a candidate is ill-typed or out of budget, in one line; else empty.
        seconds: What the comparison took; the start of a prover is shared by the candidates of a reference.
    """

    outcome: str
    forward: str = ""
    backward: str = ""
    reason: str = ""
    seconds: float = 0.0

    @classmethod
    def of(cls, forward: str, backward: str, *, exhausted: bool, seconds: float) -> Judgement:
        """From the stages that proved the two directions.

        Args:
            forward: As in the class.
            backward: As in the class.
            exhausted: Whether the budget ended before every stage had been tried.
            seconds: As in the class.
        """
        if forward and backward:
            return cls(Outcome.EQUIVALENT, forward, backward, seconds=seconds)
        if exhausted:
            return cls(Outcome.TIMEOUT, forward, backward, "the budget ended", seconds)
        if forward or backward:
            outcome = Outcome.IMPLIES if forward else Outcome.IMPLIED_BY
            return cls(outcome, forward, backward, seconds=seconds)
        return cls(Outcome.NOT_SHOWN, seconds=seconds)
