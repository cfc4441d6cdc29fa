"""Fixed tactics, each as a whole proof, one after the other until one of them is a proof."""

from __future__ import annotations

from collections.abc import Sequence

from ntp.search.interface import Budget, Expansion, StepResult, Usage
from ntp.types import (
    Crashed,
    Exceeded,
    Outcome,
    ProofState,
    Proved,
    Status,
    Tactic,
    Theorem,
    Timeout,
    Trajectory,
    Transition,
)


class OneByOne:
    """Runs tactics in the initial state in their order, and ends with the first proof or with the budget.

    A tactic that has begun is not stopped by the budget, only by its own time limit; compare `usage.cpu_s`
    with the budget where that matters.

    Args:
        theorem: The theorem to prove.
        root: Its initial state.
        tactics: The tactics.
        budget: Limits of the search.
    """

    def __init__(self, theorem: Theorem, root: ProofState, tactics: Sequence[str], budget: Budget) -> None:
        self.theorem, self.root = theorem, root
        self.usage = Usage()
        self.trajectories: list[Trajectory] = []
        self.transitions: list[Transition] = []
        self._left, self._budget = list(tactics), budget

    def select(self) -> list[Expansion]:
        """The next tactic; none if the search is over."""
        is_proved = any(trajectory.status is Status.PROVED for trajectory in self.trajectories)
        if is_proved or not self._left or not self.usage.within(self._budget):
            return []
        return [Expansion(self.root, (), given=(Tactic(self._left.pop(0)),))]

    def observe(self, attempts: Sequence[Sequence[StepResult]]) -> None:
        """Record the attempt."""
        for tactic, outcome in attempts[0]:
            transition = Transition(self.root, tactic, outcome)
            self.transitions.append(transition)
            self.trajectories.append(Trajectory(self.theorem, (transition,), _status(outcome)))


def _status(outcome: Outcome) -> Status:
    match outcome:
        case Proved():
            return Status.PROVED
        case Timeout():
            return Status.TIMEOUT
        case Exceeded():
            return Status.EXCEEDED
        case Crashed():
            return Status.CRASHED
        case _:
            return Status.STUCK
