"""Independent sampling: whole trajectories from the policy, all trajectories of a theorem in lock step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ntp.policy.prompt import SamplingParams
from ntp.search.interface import Budget, Expansion, StepResult, Usage
from ntp.seeding import derive_seed
from ntp.types import (
    Crashed,
    Exceeded,
    ProofState,
    Proved,
    Reached,
    Status,
    Theorem,
    Timeout,
    Trajectory,
    Transition,
)


@dataclass(slots=True)
class _Walk:
    draw: SamplingParams
    state: ProofState
    transitions: list[Transition] = field(default_factory=list)
    status: Status | None = None


class SamplingSearch:
    """Samples one trajectory per entry of `draws`.

    A trajectory ends PROVED, or STUCK at the first tactic that fails or that leads back to a state already on
    its own path, or TRUNCATED after `max_depth` tactics. The t-th tactic of a trajectory is sampled with a
    seed derived from the trajectory's seed and t, so trajectories do not depend on one another.

    The first `num_restarts` trajectories that get stuck after an accepted tactic are tried once more from the
    state in which they got stuck, as further trajectories: these are not samples of the policy.

    Args:
        theorem: The theorem to prove.
        root: Its initial state.
        draws: Seed and temperature of each trajectory.
        max_depth: Maximum number of tactics in a trajectory.
        budget: Further limits over all trajectories; those still open when it is spent are TRUNCATED.
        num_restarts: Most trajectories that begin where another one got stuck.
    """

    def __init__(
        self,
        theorem: Theorem,
        root: ProofState,
        draws: Sequence[SamplingParams],
        max_depth: int,
        budget: Budget | None = None,
        num_restarts: int = 0,
    ) -> None:
        self.theorem = theorem
        self.root = root
        self.usage = Usage()
        self._max_depth = max_depth
        self._budget = budget
        self._walks = [_Walk(draw, root) for draw in draws]
        self._max_walks = len(draws) + num_restarts
        self._selected: list[list[_Walk]] = []

    @property
    def trajectories(self) -> list[Trajectory]:
        """All finished trajectories, in the order of `draws`, then those that began elsewhere."""
        return [
            Trajectory(self.theorem, tuple(walk.transitions), walk.status)
            for walk in self._walks
            if walk.status is not None
        ]

    @property
    def transitions(self) -> list[Transition]:
        """All executed steps, trajectory by trajectory."""
        return [transition for walk in self._walks for transition in walk.transitions]

    def select(self) -> list[Expansion]:
        """Request the next tactic of every open trajectory; those in the same state share an expansion."""
        if self._budget is not None and not self.usage.within(self._budget):
            for walk in self._walks:
                walk.status = walk.status or Status.TRUNCATED
        by_state: dict[int, list[_Walk]] = {}
        for walk in self._walks:
            if walk.status is None:
                by_state.setdefault(walk.state.handle, []).append(walk)
        self._selected = list(by_state.values())
        return [
            Expansion(walks[0].state, tuple(self._next_draw(walk) for walk in walks))
            for walks in self._selected
        ]

    def observe(self, attempts: Sequence[Sequence[StepResult]]) -> None:
        """Advance every open trajectory by its sampled tactic."""
        for walks, row in zip(self._selected, attempts, strict=True):
            for walk, (tactic, outcome) in zip(walks, row, strict=True):
                walk.transitions.append(Transition(walk.state, tactic, outcome))
                match outcome:
                    case Reached(state):
                        walk.status = self._status_in(state, walk)
                        walk.state = state
                    case Proved():
                        walk.status = Status.PROVED
                    case Timeout():
                        walk.status = Status.TIMEOUT
                    case Exceeded():
                        walk.status = Status.EXCEEDED
                    case Crashed():
                        walk.status = Status.CRASHED
                    case _:
                        walk.status = Status.STUCK
        for walk in [walk for walks in self._selected for walk in walks if walk.status is Status.STUCK]:
            self._restart(walk)

    def _restart(self, walk: _Walk) -> None:
        """Try once more where a walk got stuck, unless that is the root."""
        done = walk.transitions[:-1]
        if done and len(self._walks) < self._max_walks:
            seed = derive_seed(walk.draw.seed, "restart", len(self._walks))
            draw = SamplingParams(seed, walk.draw.temperature)
            self._walks.append(_Walk(draw, walk.transitions[-1].state, done))

    def _next_draw(self, walk: _Walk) -> SamplingParams:
        seed = derive_seed(walk.draw.seed, len(walk.transitions))
        return SamplingParams(seed, walk.draw.temperature, None if walk.transitions else walk.draw.first)

    def _status_in(self, state: ProofState, walk: _Walk) -> Status | None:
        if any(transition.state.key == state.key for transition in walk.transitions):
            return Status.STUCK
        return Status.TRUNCATED if len(walk.transitions) >= self._max_depth else None
