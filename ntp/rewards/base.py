"""The interface of rewards, temperature schedules, and bounds on the share of failures in the target."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ntp.errors import ConfigError
from ntp.rewards.aggregation import Aggregation
from ntp.types import Status


@dataclass(frozen=True, slots=True)
class RewardComponents:
    """The components of a trajectory's reward, untempered and not aggregated.

    Attributes:
        log_ref: log pi_ref of the whole trajectory, in nats.
        status: How it ended.
        log_odds: For each verifier of an ensemble, the log-odds that the scored tactic (`Reward.scored_step`)
            leads to a provable state. It does so only if all earlier ones do, so it is a score of the whole
            trajectory. Empty if no verifier was asked.
    """

    log_ref: float
    status: Status
    log_odds: tuple[float, ...] = ()


class Reward(Protocol):
    """log R of a judged trajectory.

    Attributes:
        aggregation: Aggregates the verifiers' log-odds; None for a reward without verifiers.
    """

    @property
    def aggregation(self) -> Aggregation | None: ...  # noqa: D102 - an attribute

    def scored_step(self, status: Status, num_steps: int) -> int | None:
        """Index of the tactic that verifiers score in a trajectory; None if they are not asked.

        Args:
            status: How it ended.
            num_steps: Number of its tactics, at least 1.
        """
        ...

    def log_reward(self, components: RewardComponents, step: int) -> float:
        """Log R at a training step, in nats.

        Raises:
            ValueError: The trajectory crashed, or verifiers should have been asked.
        """
        ...

    def log_failure_bound(self, step: int) -> float:
        """Greatest log R - log pi_ref of an unproved trajectory at a training step, in nats or infinite."""
        ...

    def log_reward_std(self, components: RewardComponents, step: int) -> float:
        """Standard deviation of log R over verifiers, in nats; 0 if the kernel decides."""
        ...


def require_evidence(components: RewardComponents) -> None:
    """Raise `ValueError` for a crashed trajectory, which is no evidence about its tactics."""
    if components.status is Status.CRASHED:
        raise ValueError("a crashed trajectory is no evidence: it has no reward")


Schedule = Callable[[int], float]
_LATE = 10**9  # a step at which every schedule has ended


def at_step(temperature: float | Schedule, step: int) -> float:
    """The temperature at a step."""
    return temperature(step) if callable(temperature) else temperature


def hottest(temperature: float | Schedule) -> float:
    """The highest temperature of a number or of a monotone schedule."""
    return max(at_step(temperature, step) for step in (0, _LATE))


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


def failure_mass_bound(log_reward_fail: float, log_proofs: float, success: float) -> float:
    """Upper bound of the failures' share of the target on a theorem.

    Failures with a reward of at most exp(log_reward_fail) pi_ref each have at most
    exp(log_reward_fail) (1 - p) together, where p is the prior's probability of the proofs.

    Args:
        log_reward_fail: Greatest log R - log pi_ref of a failure, in nats; infinite if there is no bound.
        log_proofs: Log of the sum of R over (some of) the proofs, in nats.
        success: p, the prior's probability of these proofs, in [0, 1].
    """
    if success >= 1:
        return 0.0
    log_odds = log_reward_fail + math.log1p(-success) - log_proofs
    return 1.0 if log_odds > 700 else 1 - 1 / (1 + math.exp(log_odds))


@dataclass(frozen=True, slots=True)
class FailureGuard:
    """The share of the target that failures may have, on a theorem that the prior proves seldom.

    Attributes:
        max_failure_mass: Greatest share; 1 for no check.
        success_floor: The prior's probability of the only proof of that theorem.
    """

    max_failure_mass: float
    success_floor: float

    def require(self, log_reward_fail: float, alpha_success: float, option: str, hottest: float) -> None:
        """Check the greatest log R - log pi_ref of a failure.

        Args:
            log_reward_fail: It, in nats, at the highest temperature.
            alpha_success: Exponent of the prior on proofs.
            option: The option that it comes from, with its value.
            hottest: That temperature.

        Raises:
            ConfigError: Failures may have a greater share, or a number is out of range.
        """
        share, success = self.max_failure_mass, self.success_floor
        if not 0 < share <= 1:
            raise ConfigError(f"reward.max_failure_mass={share} is not above 0 and at most 1")
        if not 0 < success < 1:
            raise ConfigError(f"reward.success_floor={success} is not between 0 and 1")
        mass = failure_mass_bound(log_reward_fail, alpha_success * math.log(success), success)
        if mass <= share:
            return
        least = alpha_success * math.log(success) - math.log1p(-success) + math.log(share / (1 - share))
        raise ConfigError(
            f"reward.{option} at temperature {hottest:g} gives failures {mass:.0%} of the target on a "
            f"theorem that the prior proves with probability {success:g}; at most {share:.0%} is allowed: "
            f"give failures at least {-least * hottest:.1f} nats less than proofs, a lower temperature, or "
            "reward.max_failure_mass=1"
        )
