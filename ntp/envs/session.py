"""What sessions of all provers share: memory, the guard, and budget with processes that die."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

from ntp.errors import InitError
from ntp.sandbox.process import ProcessDiedError, RetryBudget
from ntp.types import Crashed, Exceeded, Outcome, ProofState, Rejected, Theorem

ROOT = 0

G = TypeVar("G")


class SearchSession(ABC):
    """One theorem opened for search; see `ProofSession`.

    States are numbered by a handle, the root's is `ROOT`. Outcomes are remembered, so a repeated question
    costs nothing; a crash is not, since the next process may fare better.

    Args:
        theorem: What is to be proved.
        guard: What to send to the prover for a tactic, or why nothing is sent.
    """

    root: ProofState

    def __init__(self, theorem: Theorem, guard: Callable[[str], str | Rejected]) -> None:
        self.theorem = theorem
        self._guard = guard
        self._outcomes: dict[tuple[int, str], Outcome] = {}
        self._closed = False

    def step(self, state: ProofState, tactic: str) -> Outcome:
        """See `ProofSession.step`.

        Raises:
            ValueError: The session is closed.
        """
        if self._closed:
            raise ValueError(f"the session of {self.theorem.id} is closed")
        question = (state.handle, tactic)
        outcome = self._outcomes.get(question)
        if outcome is None:
            text = self._guard(tactic)
            outcome = text if isinstance(text, Rejected) else self._attempt(state.handle, text)
            if not isinstance(outcome, Crashed):
                self._outcomes[question] = outcome
        return outcome

    def close(self) -> None:
        """See `ProofSession.close`."""
        self._closed = True

    @abstractmethod
    def _restore(self, handle: int) -> bool:
        """Bring a state back into the running process; whether that worked."""

    @abstractmethod
    def _execute(self, handle: int, text: str) -> Outcome:
        """Run a guarded tactic in a state that the running process has."""

    @abstractmethod
    def _stop(self) -> None:
        """End the process; the next call starts another."""

    def _attempt(self, handle: int, text: str) -> Outcome:
        # A tactic that eats all memory may be killed from outside too: it is not let loose again and again.
        budget = RetryBudget(killed=1)
        while True:
            try:
                if not self._restore(handle):
                    return Crashed("the state could not be replayed")
                return self._execute(handle, text)
            except ProcessDiedError as death:
                self._stop()
                if not budget.allows(death):
                    return Exceeded(death.limit, str(death)) if death.limit else Crashed(str(death))
            except InitError as error:
                return Crashed(str(error))

    def _begin(self, begin: Callable[[], G]) -> G:
        """Open the theorem; a process that dies meanwhile is replaced, within reason.

        Raises:
            InitError: It cannot be stated, or stating it keeps killing the process.
        """
        budget = RetryBudget()
        while True:
            try:
                return begin()
            except ProcessDiedError as death:
                self._stop()
                if not budget.allows(death):
                    raise InitError(f"{self.theorem.file}: opening {self.theorem.id}: {death}") from None
