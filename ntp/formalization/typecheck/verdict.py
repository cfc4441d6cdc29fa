"""What a prover says of a statement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Protocol

from ntp.errors import ConfigError


class TypeOutcome(StrEnum):
    """What became of a statement."""

    WELL_TYPED = "well_typed"
    ILL_TYPED = "ill_typed"
    REFUSED = "refused"  # by our guard, which Coq or Lean never saw
    HEADER = "header"  # what stands before the statement does not load
    TIMEOUT = "timeout"
    EXCEEDED = "exceeded"  # memory, processes, or the length of an answer
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True)
class TypeVerdict:
    """The prover's verdict on one statement.

    Attributes:
        outcome: A value of `TypeOutcome`.
        message: What it says, on one line; empty for a statement that is well typed.
    """

    outcome: str
    message: str = ""

    @property
    def well_typed(self) -> bool:
        """Whether the prover accepts it as a statement to prove."""
        return self.outcome == TypeOutcome.WELL_TYPED


class StatementChecker(Protocol):
    """A prover that states theorems without proving them.

    Attributes:
        prover: The prover of the pairs that it can check.
    """

    prover: ClassVar[str]

    def check(self, header: str, statement: str) -> TypeVerdict:
        """State a theorem after a trusted header.

        The statement is hostile: whatever it contains, this returns a verdict in bounded time and has no side
        effect.

        Args:
            header: What stands before it.
            statement: One declaration without a proof, as in `ntp.formalization.records.Pair`.

        Raises:
            EnvError: The prover is missing or cannot start.
        """
        ...

    def close(self) -> None:
        """End every process. Safe to call twice."""
        ...


def checker_for(prover: str, checkers: Mapping[str, StatementChecker]) -> StatementChecker:
    """The checker of a prover.

    Raises:
        ConfigError: There is none.
    """
    if prover not in checkers:
        raise ConfigError(
            f"statements of {prover} cannot be type-checked: there is {', '.join(checkers) or 'no prover'}"
        )
    return checkers[prover]
