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
from ntp.losses.batch import Inputs, TrajectoryBatch
from ntp.losses.expert_iteration import reward_weights
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
        likelihood_weight: Weight of the mean negative log-likelihood, in nats, of a theorem's distinct proofs
            in proportion to their rewards: the wake phase (Hu et al. 2024, section 3.2).
        regression: Loss of a residual, a name of `REGRESSION_LOSSES`.
        expects_unseen: Whether log Z is raised by `TrajectoryBatch.unseen_N`, the Good-Turing estimate of the
            share of proofs that were never sampled (Good 1953, equation 9).

    Raises:
        ConfigError: There is no such regression loss.
    """

    failure_weight: NonNegativeFloat = 0.02
    likelihood_weight: NonNegativeFloat = 0.0
    regression: str = "huber"
    expects_unseen: bool = False
    inputs: ClassVar[Inputs] = Inputs.FAILURES | Inputs.KNOWN_PROOFS

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
        proofs_G = mean_by_group(loss_N, proved_N / copies_N, index_N, num_groups)
        failures_G = mean_by_group(loss_N, ~proved_N / copies_N, index_N, num_groups)
        loss_G = proofs_G + self.failure_weight * failures_G
        if self.likelihood_weight:
            weight_N = reward_weights(batch.log_reward_N[anchored_N], proved_N / copies_N, index_N)
            log_pf_N = torch.where(proved_N, batch.log_pf_N[anchored_N], 0.0)
            loss_G = loss_G.index_add(0, index_N, -self.likelihood_weight * weight_N * log_pf_N)
        return loss_G.mean()


def mean_by_group(value_N: Tensor, weight_N: Tensor, index_N: Tensor, num_groups: int) -> Tensor:
    """Weighted mean of each group, (G,); 0 where the weights are.

    Args:
        value_N: The values.
        weight_N: Their weights, at least 0.
        index_N: The group of each, below G.
        num_groups: G.
    """
    zeros_G = value_N.new_zeros(num_groups)
    total_G = zeros_G.index_add(0, index_N, weight_N * value_N)
    weight_G = zeros_G.index_add(0, index_N, weight_N.to(value_N))
    return total_G / torch.where(weight_G > 0, weight_G, 1.0)
