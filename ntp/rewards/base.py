"""The interface of rewards, temperature schedules, and bounds on the share of failures in the target."""

from __future__ import annotations

import math
from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ntp.errors import ConfigError
from ntp.rewards.aggregation import Aggregation
from ntp.types import Status


@dataclass(frozen=True, slots=True)
class RewardComponents:
    """The components of a trajectory's reward, untempered and not aggregated.

    Attributes:
        log_ref: log pi_ref of the whole trajectory, in nats.
        status: How it ended.
        log_odds: For each verifier of an ensemble, the log-odds that its last tactic leads to a provable
            state. It does so only if all earlier ones do, so it is a score of the whole trajectory. Empty if
            no verifier was asked.
    """

    log_ref: float
    status: Status
    log_odds: tuple[float, ...] = ()


class Reward(Protocol):
    """log R of a judged trajectory.

    Attributes:
        scored_statuses: Statuses of the trajectories that verifiers score.
        aggregation: Aggregates their log-odds; None for a reward without verifiers.
    """

    @property
    def scored_statuses(self) -> Set[Status]: ...  # noqa: D102 - an attribute

    @property
    def aggregation(self) -> Aggregation | None: ...  # noqa: D102 - an attribute

    def log_reward(self, components: RewardComponents, step: int) -> float:
        """Log R at a training step, in nats.

        Raises:
            ValueError: The trajectory crashed, or verifiers should have been asked.
        """
        ...

    def log_reward_std(self, components: RewardComponents, step: int) -> float:
        """Standard deviation of log R over verifiers, in nats; 0 if the kernel decides."""
        ...


def require_evidence(components: RewardComponents) -> None:
    """Raise `ValueError` for a crashed trajectory, which is no evidence about its tactics."""
    if components.status is Status.CRASHED:
        raise ValueError("a crashed trajectory is no evidence: it has no reward")


Schedule = Callable[[int], float]


def at_step(temperature: float | Schedule, step: int) -> float:
    """The temperature at a step."""
    return temperature(step) if callable(temperature) else temperature


def require_temperature(temperature: float | Schedule) -> None:
    """Raise `ConfigError` for a number that is not above 0; schedules check themselves."""
    if not callable(temperature):
        _check(temperature)


@dataclass(frozen=True, slots=True)
class Constant:
    """The same temperature at every step.

    Raises:
        ConfigError: The temperature is not above 0.
    """

    value: float = 1.0

    def __post_init__(self) -> None:
        _check(self.value)

    def __call__(self, step: int) -> float:  # noqa: ARG002 - the interface of a schedule
        """The temperature at `step`."""
        return self.value


@dataclass(frozen=True, slots=True)
class Linear:
    """Linear from `start` to `end` over `num_steps` steps, then `end`.

    Raises:
        ConfigError: A temperature is not above 0, or there is no step to anneal over.
    """

    start: float
    end: float
    num_steps: int

    def __post_init__(self) -> None:
        _check(self.start)
        _check(self.end)
        if self.num_steps < 1:
            raise ConfigError(f"reward temperature anneals over num_steps={self.num_steps}: give at least 1")

    def __call__(self, step: int) -> float:
        """The temperature at `step`."""
        done = min(1.0, step / self.num_steps)
        return self.start + done * (self.end - self.start)


def _check(temperature: float) -> None:
    if temperature <= 0:
        raise ConfigError(f"reward temperature {temperature} cannot divide a reward: give a number above 0")


def failure_mass(log_reward_N: Tensor, log_pf_N: Tensor, proved_N: Tensor) -> float:
    """The failures' share of a theorem's target mass, estimated from samples of the policy.

    Self-normalised importance sampling: sum of R / P_F over the failures, divided by the same over all.

    Args:
        log_reward_N: log R of trajectories sampled from P_F itself, (N,) with N >= 1.
        log_pf_N: Their log P_F, (N,).
        proved_N: Which of them are proofs, (N,) booleans.
    """
    weight_N = torch.softmax((log_reward_N - log_pf_N).double(), dim=0)
    return float(weight_N[~proved_N].sum())


def failure_mass_bound(log_reward_fail: float, alpha_success: float, success: float) -> float:
    """Upper bound of the failures' share of the target on a theorem with one proof.

    A proof of prior probability p has the reward p**alpha_success. Failures with a reward of at most
    exp(log_reward_fail) pi_ref each have at most exp(log_reward_fail) (1 - p) together.

    Args:
        log_reward_fail: Greatest log R - log pi_ref of a failure, in nats.
        alpha_success: Exponent of the prior on proofs.
        success: p, the prior's probability of the proof, in (0, 1).
    """
    proof = success**alpha_success
    failures = math.exp(log_reward_fail) * (1 - success)
    return failures / (proof + failures)
