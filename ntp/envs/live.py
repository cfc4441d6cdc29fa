"""Texts that are being written, as a prover sees them: goals at a position, and proofs that go on there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ntp.envs.base import ProofSession
from ntp.errors import InitError
from ntp.types import Goal, ScriptResult, Span, Theorem


@dataclass(frozen=True, slots=True)
class Problem:
    """Where a text cannot be executed any further.

    Attributes:
        span: The sentence that is refused, or what is left of an unfinished one.
        message: Why, in one line.
    """

    span: Span
    message: str


class ReplayError(InitError):
    """A sentence of the text is refused.

    Attributes:
        problem: Which, and why.
    """

    def __init__(self, where: str, problem: Problem) -> None:
        super().__init__(f"{where}: {problem.message}")
        self.problem = problem


class NoProofError(InitError):
    """No proof is open at a position, or nothing is left to prove there."""


@dataclass(frozen=True, slots=True)
class View:
    """What a text means at a position.

    Attributes:
        goals: The goals in focus, in order.
        unfocused: The other goals of the proof that is open.
        statement: Statement of that proof; empty if none is open.
        problem: The sentence before the position that is refused, if there is one: the goals are then those
            before it.
        num_admitted: Goals of the proof that were given up.
    """

    goals: tuple[Goal, ...] = ()
    unfocused: tuple[Goal, ...] = ()
    statement: str = ""
    problem: Problem | None = None
    num_admitted: int = 0


@dataclass(frozen=True, slots=True)
class TextCheck:
    """Whether a whole text is accepted.

    Attributes:
        problem: The first sentence that is refused, if there is one.
        statement: Statement of the proof that is still open at the end; empty if none is.
        axioms: Names of the axioms that the last proof uses, those of the text itself included; None if the
            text ends in no proof or the prover does not tell.
    """

    problem: Problem | None = None
    statement: str = ""
    axioms: tuple[str, ...] | None = None

    @property
    def accepted(self) -> bool:
        """Whether every sentence was accepted and no proof is open at the end."""
        return self.problem is None and not self.statement


class ContinuedSession(ProofSession, Protocol):
    """A search whose root is a position in a text."""

    def script(self, handle: int, last: str = "") -> tuple[str, ...]:
        """The sentences that lead from the root to a state, and on with a tactic that was run in it."""
        ...


class LiveEnv(Protocol):
    """One prover for one text. Offsets count characters. At most one session is open at a time."""

    def edit(self, text: str) -> None:
        """Replace the text; what was executed before the first change stays executed."""
        ...

    def view(self, offset: int) -> View:
        """The goals after the last sentence that ends at or before an offset.

        Raises:
            InitError: The prover repeatedly dies.
            EnvError: The prover cannot start.
        """
        ...

    def theorem_at(self, offset: int) -> Theorem:
        """The theorem whose proof is open at an offset; what the text has of the proof is its `proof`.

        Raises:
            ReplayError: The text is refused before the offset.
            NoProofError: No proof is open there.
        """
        ...

    def open(self, theorem: Theorem) -> ContinuedSession:
        """Search from the end of what the text has of a proof, closing the previous session."""
        ...

    def check_rest(self, theorem: Theorem, sentences: Sequence[str]) -> ScriptResult:
        """Replay the rest of a proof from its position, and let the kernel check the whole proof."""
        ...

    def check_text(self) -> TextCheck:
        """Execute the whole text."""
        ...

    def close(self) -> None:
        """End every process. Safe to call twice."""
        ...
