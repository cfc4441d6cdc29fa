"""The kernel's verdict as a reward, on top of the reference policy as a prior."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from ntp.bounds import NonNegativeFloat, Share
from ntp.errors import ConfigError
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
class KernelReward:
    """log R = alpha log pi_ref + g / T, with g = 0 for a proof and `log_reward_fail` for anything else.

    `alpha_success` below 1 flattens the prior over proofs, which rewards diversity. `alpha_fail` should be 1:
    then all failures together have a reward of at most exp(log_reward_fail / T), which bounds their share of
    the target. TIMEOUT and EXCEEDED are failures like any other. A CRASHED trajectory has no reward, since it
    is no evidence about its tactics.

    Args:
        alpha_success: Exponent of the prior on proofs.
        alpha_fail: Exponent of the prior on failures.
        log_reward_fail: g of a failure, in nats.
        temperature: T, a number or a monotone function of the training step.
        max_failure_mass: Greatest share of the target that failures may have; 1 for no check. With
            `alpha_fail` below 1 no share can be guaranteed.
        success_floor: The prior's probability of the only proof of the theorem for which that is checked. Of
            the 13 theorems that the demo's supervised policy proves, two have less.

    Raises:
        ConfigError: Failures could have a greater share, or a number is out of range.
    """

    alpha_success: NonNegativeFloat = 0.5
    alpha_fail: NonNegativeFloat = 1.0
    log_reward_fail: float = -9.0
    temperature: float | Schedule = 1.0
    max_failure_mass: Share = 0.05
    success_floor: Share = 1e-5
    aggregation: ClassVar[None] = None

    def __post_init__(self) -> None:
        if self.log_reward_fail >= 0:
            raise ConfigError(
                f"reward.log_reward_fail={self.log_reward_fail} does not punish: give it below 0"
            )
        require_temperature(self.temperature)
        heat = hottest(self.temperature)
        guard = FailureGuard(self.max_failure_mass, self.success_floor)
        guard.require(
            self.log_reward_fail / heat, self.alpha_success, f"log_reward_fail={self.log_reward_fail:g}", heat
        )
        if self.alpha_fail < 1 and self.max_failure_mass < 1:
            raise ConfigError(
                f"reward.alpha_fail={self.alpha_fail:g} raises the reward of improbable failures without a "
                "bound: give 1 or more, or reward.max_failure_mass=1"
            )

    def scored_step(self, status: Status, num_steps: int) -> int | None:  # noqa: ARG002
        """See `Reward.scored_step`: the kernel decides."""
        return None

    def log_reward(self, components: RewardComponents, step: int) -> float:
        """Reward log R of one trajectory at a training step, in nats.

        Raises:
            ValueError: The trajectory crashed.
        """
        require_evidence(components)
        if components.status is Status.PROVED:
            return self.alpha_success * components.log_ref
        return self.alpha_fail * components.log_ref + self.log_reward_fail / at_step(self.temperature, step)

    def log_failure_bound(self, step: int) -> float:
        """See `Reward.log_failure_bound`."""
        return self.log_reward_fail / at_step(self.temperature, step) if self.alpha_fail >= 1 else math.inf

    def log_reward_std(self, components: RewardComponents, step: int) -> float:  # noqa: ARG002
        """Always 0: the kernel's verdict is certain."""
        return 0.0
