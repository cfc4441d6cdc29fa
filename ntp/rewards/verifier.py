"""An ensemble of verifiers as a reward: together with the kernel, and alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from ntp.bounds import NonNegativeFloat, PositiveFloat, Share
from ntp.errors import ConfigError
from ntp.rewards.aggregation import Aggregation, Mean
from ntp.rewards.base import (
    FailureGuard,
    RewardComponents,
    Schedule,
    at_step,
    hottest,
    require_evidence,
    require_temperature,
)
from ntp.types import Status


@dataclass(frozen=True, slots=True)
class VerifierReward:
    """The kernel's verdict, and the verifiers' score of trajectories that the kernel has not decided.

    log R = alpha_success log pi_ref for a proof, log pi_ref + (s - gap) / T for a partial proof,
    log pi_ref - (gap + score_range) / T for a failure. s is the aggregated log-probability of leading to a
    proof, clipped to [-score_range, 0]. Partial proofs are trajectories that were TRUNCATED and, with
    `score_stuck`, those that got STUCK after a valid tactic: verifiers score the last valid one. The kernel
    overrides the verifiers: no score equals a proof, and `gap` bounds the share of all unproved trajectories
    in the target.

    Args:
        aggregation: Aggregates the heads' log-odds.
        alpha_success: Exponent of the prior on proofs.
        gap: M, between a proof and the best partial proof, in nats.
        score_range: m, between the best partial proof and a failure, in nats.
        temperature: T, a number or a monotone function of the training step.
        max_failure_mass: Greatest share of the target that unproved trajectories may have; 1 for no check.
        success_floor: The prior's probability of the only proof of the theorem for which that is checked.
        score_stuck: Whether trajectories that got stuck are scored by their last valid tactic.

    Raises:
        ConfigError: Unproved trajectories could have a greater share, or a number is out of range.
    """

    aggregation: Aggregation = field(default_factory=Mean)
    alpha_success: NonNegativeFloat = 0.5
    gap: PositiveFloat = 9.0
    score_range: PositiveFloat = 6.0
    temperature: float | Schedule = 1.0
    max_failure_mass: Share = 0.05
    success_floor: Share = 1e-5
    score_stuck: bool = True

    def __post_init__(self) -> None:
        require_temperature(self.temperature)
        require_range(self.score_range)
        if not 0 < self.gap < math.inf:
            raise ConfigError(f"reward.gap={self.gap} does not distinguish proofs: give it above 0")
        heat = hottest(self.temperature)
        guard = FailureGuard(self.max_failure_mass, self.success_floor)
        guard.require(-self.gap / heat, self.alpha_success, f"gap={self.gap:g}", heat)

    def scored_step(self, status: Status, num_steps: int) -> int | None:
        """See `Reward.scored_step`: the last tactic that led to a new state, of a partial proof."""
        if status is Status.TRUNCATED:
            return num_steps - 1
        return num_steps - 2 if status is Status.STUCK and self.score_stuck and num_steps > 1 else None

    def log_reward(self, components: RewardComponents, step: int) -> float:
        """Reward log R of one trajectory at a training step, in nats.

        Raises:
            ValueError: The trajectory crashed, or it was truncated and has no scores.
        """
        require_evidence(components)
        if components.status is Status.PROVED:
            return self.alpha_success * components.log_ref
        temperature = at_step(self.temperature, step)
        if self._has_score(components):
            score = float(log_correct_score(self.aggregation(_column(components)), self.score_range))
        else:
            score = -self.score_range
        return components.log_ref + (score - self.gap) / temperature

    def log_failure_bound(self, step: int) -> float:
        """See `Reward.log_failure_bound`."""
        return -self.gap / at_step(self.temperature, step)

    def log_reward_std(self, components: RewardComponents, step: int) -> float:
        """Standard deviation of s / T over heads, in nats; 0 if the kernel decides."""
        if not self._has_score(components):
            return 0.0
        return _std_of_score(components, self.score_range) / at_step(self.temperature, step)

    @staticmethod
    def _has_score(components: RewardComponents) -> bool:
        # Of those that got stuck, some have no valid tactic.
        is_scored = components.status is Status.STUCK and bool(components.log_odds)
        return components.status is Status.TRUNCATED or is_scored


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
    score_range: PositiveFloat = 6.0
    temperature: float | Schedule = 1.0

    def __post_init__(self) -> None:
        require_temperature(self.temperature)
        require_range(self.score_range)

    def scored_step(self, status: Status, num_steps: int) -> int | None:
        """See `Reward.scored_step`: the last tactic, whatever the kernel says."""
        return None if status is Status.CRASHED else num_steps - 1

    def log_reward(self, components: RewardComponents, step: int) -> float:
        """Reward log R of one trajectory at a training step, in nats.

        Raises:
            ValueError: The trajectory crashed, or no verifier was asked.
        """
        require_evidence(components)
        score = float(log_correct_score(self.aggregation(_column(components)), self.score_range))
        return components.log_ref + score / at_step(self.temperature, step)

    def log_failure_bound(self, step: int) -> float:  # noqa: ARG002
        """See `Reward.log_failure_bound`: 0, since a trajectory without a proof may have the best score."""
        return 0.0

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
