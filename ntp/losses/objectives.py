"""One interface for every objective that trains a policy on judged trajectories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from ntp.losses.expert_iteration import expert_iteration_loss
from ntp.losses.penalties import penalty_named
from ntp.losses.trajectory_balance import pairwise_loss, trajectory_balance_loss, vargrad_loss


@dataclass(frozen=True, slots=True)
class TrajectoryBatch:
    """What an objective may look at, one entry per trajectory.

    Attributes:
        log_pf_N: log P_F of the whole trajectory under the policy in training, differentiable.
        log_reward_N: log R.
        group_N: Integer naming the trajectory's theorem.
        proved_N: Whether the kernel accepted it.
        log_z_N: Learned log Z of the trajectory's theorem; None unless the objective needs it.
        log_reward_std_N: Standard deviation of log R over verifiers; None stands for zeros.
    """

    log_pf_N: Tensor
    log_reward_N: Tensor
    group_N: Tensor
    proved_N: Tensor
    log_z_N: Tensor | None = None
    log_reward_std_N: Tensor | None = None


class Objective(Protocol):
    """A loss on judged trajectories. To add one, implement this and a config in `conf/loss/`.

    Attributes:
        needs_log_z: Whether log Z(x) is learned and given.
        learns_from_failures: Whether trajectories without a proof change the loss; if not they are left out.
    """

    needs_log_z: ClassVar[bool]
    learns_from_failures: ClassVar[bool]

    def __call__(self, batch: TrajectoryBatch) -> Tensor:
        """A differentiable scalar."""
        ...


class TrajectoryBalance:
    """Trajectory balance with learned log Z(x).

    Args:
        penalty: Name of the charge of a residual: square or huber.
    """

    needs_log_z: ClassVar[bool] = True
    learns_from_failures: ClassVar[bool] = True

    def __init__(self, penalty: str = "square") -> None:
        self._penalty = penalty_named(penalty)

    def __call__(self, batch: TrajectoryBatch) -> Tensor:
        """Mean charge of log Z + log P_F - log R."""
        assert batch.log_z_N is not None, "trajectory balance needs log Z"
        return trajectory_balance_loss(batch.log_pf_N, batch.log_reward_N, batch.log_z_N, self._penalty)


class VarGrad:
    """The log-variance form, with log Z estimated from each theorem's group.

    Args:
        penalty: Name of the charge of a deviation: square or huber.
    """

    needs_log_z: ClassVar[bool] = False
    learns_from_failures: ClassVar[bool] = True

    def __init__(self, penalty: str = "square") -> None:
        self._penalty = penalty_named(penalty)

    def __call__(self, batch: TrajectoryBatch) -> Tensor:
        """Mean over theorems of the variance of log P_F - log R."""
        return vargrad_loss(batch.log_pf_N, batch.log_reward_N, batch.group_N, self._penalty)


class Pairwise:
    """Balance of pairs of trajectories, but for those whose rewards differ by less than verifiers disagree.

    Args:
        penalty: Name of the charge of a difference: square or huber.
    """

    needs_log_z: ClassVar[bool] = False
    learns_from_failures: ClassVar[bool] = True

    def __init__(self, penalty: str = "huber") -> None:
        self._penalty = penalty_named(penalty)

    def __call__(self, batch: TrajectoryBatch) -> Tensor:
        """Mean over theorems of the charged differences of log P_F - log R."""
        std_N = batch.log_reward_std_N
        if std_N is None:
            std_N = torch.zeros_like(batch.log_reward_N)
        return pairwise_loss(batch.log_pf_N, batch.log_reward_N, std_N, batch.group_N, self._penalty)


class ExpertIteration:
    """Supervised fine-tuning on own verified proofs."""

    needs_log_z: ClassVar[bool] = False
    learns_from_failures: ClassVar[bool] = False

    def __call__(self, batch: TrajectoryBatch) -> Tensor:
        """Mean negative log-likelihood of the proofs."""
        return expert_iteration_loss(batch.log_pf_N, batch.proved_N)
