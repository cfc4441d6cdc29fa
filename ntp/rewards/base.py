"""What a reward is: a function of what is known of a trajectory, which can be evaluated again at any step."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import Protocol

from ntp.rewards.aggregation import Aggregation
from ntp.types import Status


@dataclass(frozen=True, slots=True)
class RewardComponents:
    """What a trajectory's reward is made of, untempered and not aggregated.

    Attributes:
        log_ref: log pi_ref of the whole trajectory, in nats.
        status: How it ended.
        log_odds: What each verifier of an ensemble thinks of its last tactic: log-odds of being on the way to
            a proof. That tactic leads to a provable state only if all before it do, so it speaks for the
            whole trajectory. Empty where no verifier was asked.
    """

    log_ref: float
    status: Status
    log_odds: tuple[float, ...] = ()


class Reward(Protocol):
    """log R of a judged trajectory.

    Attributes:
        scored_statuses: Statuses of the trajectories on which verifiers are asked.
        aggregation: From their log-odds to one; None where they never are.
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
        """How far verifiers disagree about log R: standard deviation in nats; 0 where the kernel decides."""
        ...


def require_evidence(components: RewardComponents) -> None:
    """Raise `ValueError` for a crashed trajectory, which says nothing about its tactics."""
    if components.status is Status.CRASHED:
        raise ValueError("a crashed trajectory is no evidence: it has no reward")
