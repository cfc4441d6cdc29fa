"""An ensemble of verifiers as a reward: together with the kernel, and alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from ntp.errors import ConfigError
from ntp.rewards.aggregation import Aggregation, Mean
from ntp.rewards.base import (
    RewardComponents,
    Schedule,
    at_step,
    failure_mass_bound,
    require_evidence,
    require_temperature,
)
from ntp.types import Status

_LATE = 10**9  # a step at which every schedule has ended


@dataclass(frozen=True, slots=True)
class VerifierReward:
    """The kernel's verdict, and the verifiers' score of trajectories that the kernel has not decided.

    log R = alpha_success log pi_ref for a proof, log pi_ref + (s - gap) / T for a partial proof (TRUNCATED),
    log pi_ref - (gap + score_range) / T for a failure. s is the aggregated log-probability of leading to a
    proof, clipped to [-score_range, 0]. The kernel overrides the verifiers: no score equals a proof or makes
    up for an error, and `gap` bounds the share of all unproved trajectories in the target.

    Args:
        aggregation: Aggregates the heads' log-odds.
        alpha_success: Exponent of the prior on proofs.
        gap: M, between a proof and the best partial proof, in nats.
        score_range: m, between the best partial proof and a failure, in nats.
        temperature: T, a number or a monotone function of the training step.
        max_failure_mass: Greatest share of the target that unproved trajectories may have.
        success_floor: The prior's probability of the only proof of the theorem for which that is checked.

    Raises:
        ConfigError: Unproved trajectories could have a greater share, or a number is out of range.
    """

    aggregation: Aggregation = field(default_factory=Mean)
    alpha_success: float = 0.5
    gap: float = 8.0
    score_range: float = 6.0
    temperature: float | Schedule = 1.0
    max_failure_mass: float = 0.05
    success_floor: float = 0.01
    scored_statuses: ClassVar[frozenset[Status]] = frozenset({Status.TRUNCATED})

    def __post_init__(self) -> None:
        require_temperature(self.temperature)
        require_range(self.score_range)
        for name in ("success_floor", "max_failure_mass"):
            if not 0 < getattr(self, name) < 1:
                raise ConfigError(f"reward.{name}={getattr(self, name)} is not between 0 and 1")
        if not 0 < self.gap < math.inf:
            raise ConfigError(f"reward.gap={self.gap} does not distinguish proofs: give it above 0")
        hottest = max(at_step(self.temperature, step) for step in (0, _LATE))
        mass = failure_mass_bound(-self.gap / hottest, self.alpha_success, self.success_floor)
        if mass > self.max_failure_mass:
            proof = self.success_floor**self.alpha_success
            share = self.max_failure_mass
            least = hottest * math.log((1 - self.success_floor) * (1 - share) / (share * proof))
            raise ConfigError(
                f"reward.gap={self.gap:g} at temperature {hottest:g} gives unproved trajectories "
                f"{mass:.0%} of the target on a theorem proved once in {1 / self.success_floor:.0f} samples; "
                f"at most {share:.0%} is allowed: give a gap of at least {least:.1f} or a lower temperature"
            )

    def log_reward(self, components: RewardComponents, step: int) -> float:
        """Reward log R of one trajectory at a training step, in nats.

        Raises:
            ValueError: The trajectory crashed, or it is a partial proof without scores.
        """
        require_evidence(components)
        if components.status is Status.PROVED:
            return self.alpha_success * components.log_ref
        temperature = at_step(self.temperature, step)
        if components.status in self.scored_statuses:
            score = float(log_correct_score(self.aggregation(_column(components)), self.score_range))
        else:
            score = -self.score_range
        return components.log_ref + (score - self.gap) / temperature

    def log_reward_std(self, components: RewardComponents, step: int) -> float:
        """Standard deviation of s / T over heads, in nats; 0 if the kernel decides."""
        if components.status not in self.scored_statuses:
            return 0.0
        return _std_of_score(components, self.score_range) / at_step(self.temperature, step)


@dataclass(frozen=True, slots=True)
class VerifierOnlyReward:
    """The verifiers' score and nothing else: log R = log pi_ref + s / T, independent of the kernel.

    Not for finding proofs. It is for studies of reward-model over-optimisation (Gao et al. 2023, Coste et al.
    2023): how a policy exploits a verifier that the kernel does not correct.

    Args:
        aggregation: Aggregates the heads' log-odds.
        score_range: s is clipped to [-score_range, 0], in nats.
        temperature: T, a number or a function of the training step.

    Raises:
        ConfigError: A number is not above 0.
    """

    aggregation: Aggregation = field(default_factory=Mean)
    score_range: float = 6.0
    temperature: float | Schedule = 1.0
    scored_statuses: ClassVar[frozenset[Status]] = frozenset(Status) - {Status.CRASHED}

    def __post_init__(self) -> None:
        require_temperature(self.temperature)
        require_range(self.score_range)

    def log_reward(self, components: RewardComponents, step: int) -> float:
        """Reward log R of one trajectory at a training step, in nats.

        Raises:
            ValueError: The trajectory crashed, or no verifier was asked.
        """
        require_evidence(components)
        score = float(log_correct_score(self.aggregation(_column(components)), self.score_range))
        return components.log_ref + score / at_step(self.temperature, step)

    def log_reward_std(self, components: RewardComponents, step: int) -> float:
        """Standard deviation of s / T over heads, in nats."""
        return _std_of_score(components, self.score_range) / at_step(self.temperature, step)


def log_correct_score(log_odds: Tensor, score_range: float) -> Tensor:
    """Log-probability of leading to a proof, clipped to [-score_range, 0], elementwise in nats."""
    return logsigmoid(log_odds).clamp(min=-score_range)


def require_range(score_range: float) -> None:
    """Raise `ConfigError` unless the range of scores is above 0."""
    if not 0 < score_range < math.inf:
        raise ConfigError(f"reward.score_range={score_range} makes all scores equal: give it above 0")


def _std_of_score(components: RewardComponents, score_range: float) -> float:
    return float(log_correct_score(_column(components), score_range).std(correction=0))


def _column(components: RewardComponents) -> Tensor:
    if not components.log_odds:
        raise ValueError(f"a {components.status} trajectory was not shown to the verifiers")
    return torch.tensor(components.log_odds, dtype=torch.float64)[:, None]
