"""What a search is, and what it costs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ntp.errors import ConfigError
from ntp.policy.prompt import SampleRequest, SamplingParams
from ntp.types import Outcome, ProofState, Tactic, Theorem


class Proposer(Protocol):
    """Anything that proposes tactics: a policy, or a fixed list of them."""

    def sample(self, requests: Sequence[SampleRequest]) -> list[list[Tactic]]:
        """Propose one tactic per draw of every request, in order."""
        ...


class Critic(Protocol):
    """Anything that believes more or less in tactics: an ensemble of verifiers."""

    def log_correct(self, states: Sequence[str], tactics: Sequence[Sequence[str]]) -> list[list[float]]:
        """Say how likely each tactic is to be on the way to a proof.

        Args:
            states: S states, as the policy reads them.
            tactics: For each state, N_s tactics.

        Returns:
            For each state, N_s log-probabilities in nats, finite.
        """
        ...


@dataclass(frozen=True, slots=True)
class Expansion:
    """A wish for tactics: one per draw, to be tried in `state`."""

    state: ProofState
    draws: tuple[SamplingParams, ...]


StepResult = tuple[Tactic, Outcome]


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits on the search for one theorem; the first one reached ends it.

    Attributes:
        max_samples: Tactics sampled from the policy.
        max_env_steps: Tactics sent to the prover; None for no limit.
        max_seconds: Wall time since the theorem was opened; None for no limit. A limit that bites makes the
            result depend on the machine.

    Raises:
        ConfigError: A limit is below 1.
    """

    max_samples: int
    max_env_steps: int | None = None
    max_seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("max_samples", "max_env_steps", "max_seconds"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ConfigError(f"budget {name}={value} leaves nothing to try: give a number above 0")


@dataclass(slots=True)
class Usage:
    """What one search has spent.

    Attributes:
        num_samples: Tactics sampled.
        num_env_steps: Tactics sent to the prover.
        started: When the theorem was open, on the monotonic clock.
        cost_s: Seconds of the process's time that are due to this theorem, as `ntp.search.base` has it.
    """

    num_samples: int = 0
    num_env_steps: int = 0
    started: float = field(default_factory=time.monotonic)
    cost_s: float = 0.0

    def count(self, attempts: Sequence[Sequence[StepResult]]) -> None:
        """Add one round of attempts."""
        num = sum(len(row) for row in attempts)
        self.num_samples += num
        self.num_env_steps += num

    def within(self, budget: Budget) -> bool:
        """Whether the search may go on."""
        return (
            self.num_samples < budget.max_samples
            and (budget.max_env_steps is None or self.num_env_steps < budget.max_env_steps)
            and (budget.max_seconds is None or time.monotonic() - self.started < budget.max_seconds)
        )


class Search(Protocol):
    """The search for proofs of one theorem, driven in rounds by `ntp.search.driver`."""

    theorem: Theorem
    usage: Usage

    def select(self) -> list[Expansion]:
        """The states to expand in the next round; empty when the search is over."""
        ...

    def observe(self, attempts: Sequence[Sequence[StepResult]]) -> None:
        """What became of the last `select`: per expansion, each tactic with its outcome, in draw order."""
        ...


class Charges:
    """Charges searches with the time since the last charge, the first with that since it was made."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def charge(self, weights: Sequence[tuple[Usage, float]]) -> None:
        """Share the time since then out.

        Args:
            weights: What the searches have spent, to be added to, each with its weight, not negative. Nothing
                is charged, and the time is kept for the next charge, if there are none.
        """
        if not weights:
            return
        now = time.perf_counter()
        seconds, self._last = now - self._last, now
        total = sum(weight for _, weight in weights)
        for usage, weight in weights:
            usage.cost_s += seconds * (weight / total if total > 0 else 1 / len(weights))
