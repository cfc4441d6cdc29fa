"""Policy gradients on the kernel's verdict: baselines of a GFlowNet on the same rollouts.

The reward of a trajectory is 1 if the kernel accepted it and 0 if not. Every step makes one update with fresh
trajectories, so importance ratios are 1 and their clipping has no effect. Replayed and tempered trajectories
would bias the gradient: train with `module.num_replay=0 module.num_tempered=0`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ntp.bounds import NonNegativeFloat, Share
from ntp.losses.batch import Inputs, TrajectoryBatch
from ntp.losses.trajectory_balance import group_deviation

_EPSILON = 1e-6


def policy_gradient_loss(log_pf_N: Tensor, advantage_N: Tensor) -> Tensor:
    """Minus the mean of advantage times log P_F, a scalar, whose gradient is minus the policy gradient.

    Args:
        log_pf_N: log P_F of whole trajectories, (N,).
        advantage_N: Constants, (N,). Where they are 0, log P_F may be infinite.
    """
    product_N = torch.where(advantage_N == 0, 0.0, advantage_N * log_pf_N)
    return -product_N.sum() / max(1, log_pf_N.numel())


def unlikeliness_reward(proved_N: Tensor, log_pf_N: Tensor, group_N: Tensor, rank_penalty: float) -> Tensor:
    """Rewards that are less for the likelier proofs of a group, (N,).

    r_i = proved_i (1 - rank_penalty (G - rank_i) / G), with rank 0 for the likeliest of the group's G
    trajectories (He et al. 2025, "Rewarding the Unlikely", section 4.1).
    """
    together_NN = group_N[:, None] == group_N
    likelier_NN = together_NN & (log_pf_N > log_pf_N[:, None])
    size_N = together_NN.sum(1)
    share_N = (size_N - likelier_NN.sum(1)) / size_N
    return proved_N.to(log_pf_N) * (1 - rank_penalty * share_N)


@dataclass(frozen=True, slots=True)
class GRPO:
    """Group relative policy optimisation (Shao et al. 2024, section 4.1) without a length normalisation.

    The advantage of a trajectory is its reward minus the group's mean, over the group's standard deviation
    (that of the population). Groups whose rewards are all equal have none.

    Attributes:
        rank_penalty: How much less the likeliest proof of a group is rewarded; 0 for the plain verdict.
        kl_weight: Weight of the Kullback-Leibler divergence from the prior, by the estimator exp(d) - d - 1
            of d = log pi_ref - log P_F (Schulman 2020; Shao et al., equation 4).
    """

    rank_penalty: Share = 0.0
    kl_weight: NonNegativeFloat = 0.0
    inputs: ClassVar[Inputs] = Inputs.FAILURES | Inputs.FRESH

    def __call__(self, batch: TrajectoryBatch) -> Tensor:
        """The mean over all trajectories, a scalar."""
        log_pf_N = batch.log_pf_N.detach()
        reward_N = unlikeliness_reward(batch.proved_N, log_pf_N, batch.group_N, self.rank_penalty)
        deviation_N, index_N, size_G = group_deviation(reward_N, batch.group_N)
        variance_G = reward_N.new_zeros(size_G.shape).index_add(0, index_N, deviation_N.square()) / size_G
        loss = policy_gradient_loss(batch.log_pf_N, deviation_N / (variance_G.sqrt() + _EPSILON)[index_N])
        if not self.kl_weight:
            return loss
        assert batch.log_ref_N is not None, "the divergence needs the prior"
        difference_N = batch.log_ref_N - batch.log_pf_N
        return loss + self.kl_weight * (difference_N.exp() - difference_N - 1).mean()


@dataclass(frozen=True, slots=True)
class Reinforce:
    """REINFORCE with the mean reward of the group's other trajectories as baseline.

    Leave-one-out (Kool et al. 2019, equation 8): unbiased for groups of two and more; smaller ones have no
    loss.
    """

    inputs: ClassVar[Inputs] = Inputs.FAILURES | Inputs.FRESH

    def __call__(self, batch: TrajectoryBatch) -> Tensor:
        """The mean over all trajectories, a scalar."""
        reward_N = batch.proved_N.to(batch.log_pf_N)
        deviation_N, index_N, size_G = group_deviation(reward_N, batch.group_N)
        # r_i - mean of the others = (r_i - mean of all) G / (G - 1)
        factor_G = torch.where(size_G > 1, size_G / (size_G - 1).clamp(min=1), 0.0)
        return policy_gradient_loss(batch.log_pf_N, deviation_N * factor_G[index_N])
