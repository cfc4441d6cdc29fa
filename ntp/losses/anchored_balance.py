"""Trajectory balance whose log Z is anchored on verified proofs.

Learned or estimated from samples, log Z(x) follows the failures, which are nearly all samples. Here it is
what the known proofs of the theorem make it at least: the logarithm of the sum of their rewards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ntp.bounds import NonNegativeFloat
from ntp.losses.batch import TrajectoryBatch
from ntp.losses.trajectory_balance import regression_loss, residual


@dataclass(frozen=True, slots=True)
class AnchoredBalance:
    """Trajectory balance with log Z(x) = logsumexp of log R over the distinct known proofs of theorem x.

    The mean over theorems that have a known proof of: the mean regression loss of their distinct proofs, plus
    `failure_weight` times that of their distinct other trajectories. Weights only change which distribution
    is trained on, so that P_F proportional to R remains where the loss is 0, restricted to the known proofs.
    Theorems without a known proof have no loss.

    Attributes:
        failure_weight: Weight of a theorem's failures against its proofs.
        regression: Loss of a residual: `square` or `huber`.
        expects_unseen: Whether log Z is raised by `TrajectoryBatch.unseen_N`, the Good-Turing estimate of the
            share of proofs that were never sampled (Good 1953, equation 9).

    Raises:
        ConfigError: There is no such regression loss.
    """

    failure_weight: NonNegativeFloat = 0.02
    regression: str = "huber"
    expects_unseen: bool = False
    needs_log_z: ClassVar[bool] = False
    needs_known_proofs: ClassVar[bool] = True
    learns_from_failures: ClassVar[bool] = True

    def __post_init__(self) -> None:
        regression_loss(self.regression)

    def __call__(self, batch: TrajectoryBatch) -> Tensor:
        """Mean over theorems; 0 when none has a known proof."""
        assert batch.log_anchor_N is not None, "anchored balance needs the known proofs' rewards"
        log_z_N = batch.log_anchor_N
        if self.expects_unseen and batch.unseen_N is not None:
            log_z_N = log_z_N - torch.log1p(-batch.unseen_N)
        anchored_N = torch.isfinite(log_z_N)
        if not anchored_N.any():
            return 0.0 * batch.log_pf_N.sum()
        residual_N = residual(batch.log_pf_N[anchored_N], batch.log_reward_N[anchored_N], log_z_N[anchored_N])
        loss_N = regression_loss(self.regression)(residual_N)
        proved_N = batch.proved_N[anchored_N]
        copies_N = torch.ones_like(loss_N) if batch.num_copies_N is None else batch.num_copies_N[anchored_N]
        _, index_N = batch.group_N[anchored_N].unique(return_inverse=True)
        num_groups = int(index_N.max()) + 1
        proofs_G = _mean_by_group(loss_N, proved_N / copies_N, index_N, num_groups)
        failures_G = _mean_by_group(loss_N, ~proved_N / copies_N, index_N, num_groups)
        return (proofs_G + self.failure_weight * failures_G).mean()


def _mean_by_group(value_N: Tensor, weight_N: Tensor, index_N: Tensor, num_groups: int) -> Tensor:
    """Weighted mean of each group, (G,); 0 where the weights are."""
    zeros_G = value_N.new_zeros(num_groups)
    total_G = zeros_G.index_add(0, index_N, weight_N * value_N)
    weight_G = zeros_G.index_add(0, index_N, weight_N.to(value_N))
    return total_G / torch.where(weight_G > 0, weight_G, 1.0)
