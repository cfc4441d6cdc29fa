"""The common part of all provers' sessions: cached outcomes, the guard, and retries after a process died."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

from ntp.errors import InitError
from ntp.sandbox.deaths import ProcessDiedError, RetryBudget
from ntp.types import Crashed, Exceeded, Outcome, ProofState, Rejected, Theorem

ROOT = 0

G = TypeVar("G")


class SearchSession(ABC):
    """One theorem opened for search; see `ProofSession`.

    Each state has an integer handle; the root's is `ROOT`. Outcomes are cached by (state, tactic), except
    crashes, since the next process may succeed.

    Args:
        theorem: The theorem to prove.
        guard: From a tactic to the text that is sent to the prover, or to the reason why it is refused.
        total_cpu_s: CPU time of the prover's processes so far, in seconds.
    """

    root: ProofState

    def __init__(
        self,
        theorem: Theorem,
        guard: Callable[[str], str | Rejected],
        total_cpu_s: Callable[[], float],
    ) -> None:
        self.theorem = theorem
        self._guard, self._total_cpu_s = guard, total_cpu_s
        self._outcomes: dict[tuple[int, str], Outcome] = {}
        self._closed = False
        self.num_env_steps = 0
        self._cpu_before_s = 0.0

    @property
    def cpu_s(self) -> float:
        """See `ProofSession`."""
        return self._total_cpu_s() - self._cpu_before_s

    def _opened(self, root: ProofState) -> None:
        """Set the initial state; what the prover did to reach it does not count."""
        self.root, self._cpu_before_s = root, self._total_cpu_s()

    def step(self, state: ProofState, tactic: str) -> Outcome:
        """See `ProofSession.step`.

        Raises:
            ValueError: The session is closed.
        """
        if self._closed:
            raise ValueError(f"the session of {self.theorem.id} is closed")
        key = (state.handle, tactic)
        outcome = self._outcomes.get(key)
        if outcome is None:
            text = self._guard(tactic)
            outcome = text if isinstance(text, Rejected) else self._attempt(state.handle, text)
            if not isinstance(outcome, Crashed):
                self._outcomes[key] = outcome
        return outcome

    def close(self) -> None:
        """See `ProofSession.close`."""
        self._closed = True

    @abstractmethod
    def _restore(self, handle: int) -> bool:
        """Make a state available in the running process and return whether that succeeded."""

    @abstractmethod
    def _execute(self, handle: int, text: str) -> Outcome:
        """Run a guarded tactic in a state that is available in the running process."""

    @abstractmethod
    def _stop(self) -> None:
        """End the process; the next call starts another."""

    def _attempt(self, handle: int, text: str) -> Outcome:
        self.num_env_steps += 1
        # A tactic that uses up all memory may be killed from outside too, so it is retried only once.
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
        """Open the theorem. A process that dies meanwhile is replaced, as often as `RetryBudget` allows.

        Raises:
            InitError: The theorem cannot be stated, or stating it repeatedly kills the process.
        """
        budget = RetryBudget()
        while True:
            try:
                return begin()
            except ProcessDiedError as death:
                self._stop()
                if not budget.allows(death):
                    raise InitError(f"{self.theorem.file}: opening {self.theorem.id}: {death}") from None
