"""The kernel's verdict as a reward, on top of the reference policy as a prior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ntp.errors import ConfigError
from ntp.rewards.base import RewardComponents, Schedule, at_step, require_evidence, require_temperature
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
        temperature: T, a number or a function of the training step.

    Raises:
        ConfigError: A failure would have the reward of a proof or more, or T is not above 0.
    """

    alpha_success: float = 0.5
    alpha_fail: float = 1.0
    log_reward_fail: float = -8.0
    temperature: float | Schedule = 1.0
    scored_statuses: ClassVar[frozenset[Status]] = frozenset()
    aggregation: ClassVar[None] = None

    def __post_init__(self) -> None:
        if self.log_reward_fail >= 0:
            raise ConfigError(
                f"reward.log_reward_fail={self.log_reward_fail} does not punish: give it below 0"
            )
        require_temperature(self.temperature)

    def log_reward(self, components: RewardComponents, step: int) -> float:
        """Reward log R of one trajectory at a training step, in nats.

        Raises:
            ValueError: The trajectory crashed.
        """
        require_evidence(components)
        if components.status is Status.PROVED:
            return self.alpha_success * components.log_ref
        return self.alpha_fail * components.log_ref + self.log_reward_fail / at_step(self.temperature, step)

    def log_reward_std(self, components: RewardComponents, step: int) -> float:  # noqa: ARG002
        """Always 0: the kernel's verdict is certain."""
        return 0.0
