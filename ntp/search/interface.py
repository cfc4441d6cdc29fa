"""The interface of searches: what they ask for, what they are told, and their budgets."""

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
        """Propose one tactic per entry of `draws` of every request, in order.

        Without replacement (`SampleRequest.exclude`) there may be fewer.
        """
        ...


class Critic(Protocol):
    """Anything that scores tactics: an ensemble of verifiers."""

    def log_correct(self, states: Sequence[str], tactics: Sequence[Sequence[str]]) -> list[list[float]]:
        """Log-probability that each tactic leads to a provable state.

        Args:
            states: S states, as the policy reads them.
            tactics: For each state, N_s tactics.

        Returns:
            For each state, N_s log-probabilities in nats, finite.
        """
        ...


@dataclass(frozen=True, slots=True)
class Expansion:
    """A request for tactics to try in `state`: one per entry of `draws`, or those that are given.

    Attributes:
        state: The state.
        draws: Parameters of each sample.
        exclude: None for independent samples; see `SampleRequest`.
        given: Tactics to try in place of the proposer's.
    """

    state: ProofState
    draws: tuple[SamplingParams, ...]
    exclude: tuple[Tactic, ...] | None = None
    given: tuple[Tactic, ...] = ()


StepResult = tuple[Tactic, Outcome]


NO_LIMIT = None


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits on the search for one theorem; the first one reached ends it.

    Attributes:
        max_samples: Tactics sampled from the policy.
        max_env_steps: Tactics that the prover runs; None for no limit.
        max_seconds: Wall time since the theorem was opened; None for no limit. Results then depend on the
            machine.
        max_cpu_seconds: CPU time of the prover and of the processes that it started since the theorem was
            opened; None for no limit. It is looked at between rounds.

    Raises:
        ConfigError: A limit is below 1.
    """

    max_samples: int
    max_env_steps: int | None = NO_LIMIT
    max_seconds: float | None = NO_LIMIT
    max_cpu_seconds: float | None = NO_LIMIT

    def __post_init__(self) -> None:
        for name in ("max_samples", "max_env_steps", "max_seconds", "max_cpu_seconds"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ConfigError(f"budget {name}={value} allows no tactic: give a number above 0")


@dataclass(slots=True)
class Usage:
    """The resources that one search has used.

    Attributes:
        num_samples: Tactics sampled.
        num_env_steps: Tactics that the prover ran: none that the guard refused or that had been run before.
        started: When the theorem was opened, on the monotonic clock.
        cpu_s: CPU time of the prover on this theorem, in seconds.
        cost_s: This theorem's share of the process's time in seconds, as assigned by `Charges`.
    """

    num_samples: int = 0
    num_env_steps: int = 0
    started: float = field(default_factory=time.monotonic)
    cost_s: float = 0.0
    cpu_s: float = 0.0

    def within(self, budget: Budget) -> bool:
        """Whether the budget is not spent yet."""
        return (
            self.num_samples < budget.max_samples
            and (budget.max_env_steps is None or self.num_env_steps < budget.max_env_steps)
            and (budget.max_seconds is None or time.monotonic() - self.started < budget.max_seconds)
            and (budget.max_cpu_seconds is None or self.cpu_s < budget.max_cpu_seconds)
        )


class Search(Protocol):
    """The search for proofs of one theorem, driven in rounds by `ntp.search.driver`."""

    theorem: Theorem
    usage: Usage

    def select(self) -> list[Expansion]:
        """The states to expand in the next round; empty when the search is over."""
        ...

    def observe(self, attempts: Sequence[Sequence[StepResult]]) -> None:
        """Take in the results of the last `select`: per expansion, each tactic with its outcome, in order."""
        ...
