"""The kernel's verdict as a reward, on top of the reference policy as a prior."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ntp.errors import ConfigError
from ntp.rewards.tempering import Schedule
from ntp.types import Status


@dataclass(frozen=True, slots=True)
class RewardComponents:
    """What a trajectory's reward is made of, untempered, so that replay can weigh it anew at any step.

    Attributes:
        log_ref: log pi_ref of the whole trajectory, in nats.
        status: How it ended.
    """

    log_ref: float
    status: Status


@dataclass(frozen=True, slots=True)
class KernelReward:
    """log R = alpha log pi_ref + g / T, with g = 0 for a proof and `log_reward_fail` for anything else.

    `alpha_success` below 1 flattens the prior over proofs, which rewards diversity. `alpha_fail` stays at 1:
    then all failures together weigh at most exp(log_reward_fail / T), which bounds their share of the target.
    A TIMEOUT is a failure like any other. A CRASHED trajectory says nothing about its tactics: no reward.

    Args:
        alpha_success: Exponent of the prior on proofs.
        alpha_fail: Exponent of the prior on failures.
        log_reward_fail: g of a failure, in nats.
        temperature: T, a number or a function of the training step.

    Raises:
        ConfigError: A failure would be worth no less than a proof, or T is not above 0.
    """

    alpha_success: float = 0.5
    alpha_fail: float = 1.0
    log_reward_fail: float = -8.0
    temperature: float | Schedule = 1.0

    def __post_init__(self) -> None:
        if self.log_reward_fail >= 0:
            raise ConfigError(
                f"reward.log_reward_fail={self.log_reward_fail} does not punish: give it below 0"
            )
        if not callable(self.temperature) and self.temperature <= 0:
            raise ConfigError(
                f"reward.temperature={self.temperature} cannot divide a reward: give it above 0"
            )

    def log_reward(self, components: RewardComponents, step: int) -> float:
        """Reward log R of one trajectory at a training step, in nats.

        Raises:
            ValueError: The trajectory crashed.
        """
        if components.status is Status.CRASHED:
            raise ValueError("a crashed trajectory is no evidence: it has no reward")
        if components.status is Status.PROVED:
            return self.alpha_success * components.log_ref
        temperature = self.temperature(step) if callable(self.temperature) else self.temperature
        return self.alpha_fail * components.log_ref + self.log_reward_fail / temperature


def failure_mass(log_reward_N: Tensor, log_pf_N: Tensor, proved_N: Tensor) -> float:
    """The failures' share of a theorem's target mass, estimated from samples of the policy.

    Self-normalised importance sampling: sum of R / P_F over the failures, divided by the same over all.

    Args:
        log_reward_N: log R of trajectories drawn from P_F itself, (N,) with N >= 1.
        log_pf_N: Their log P_F, (N,).
        proved_N: Which of them are proofs, (N,) booleans.
    """
    weight_N = torch.softmax((log_reward_N - log_pf_N).double(), dim=0)
    return float(weight_N[~proved_N].sum())
