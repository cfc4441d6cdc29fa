"""Maximum likelihood of the policy's own verified proofs: the baseline that a GFlowNet has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor

from ntp.errors import ConfigError
from ntp.losses.batch import Inputs, TrajectoryBatch

Weighting = Literal["samples", "theorems", "rewards"]


@dataclass(frozen=True, slots=True)
class ExpertIteration:
    """Supervised fine-tuning on own verified proofs.

    Attributes:
        weighting: What has the same weight: `samples`, every proof that was sampled or replayed, so that
            theorems with many proofs and proofs sampled often have more; `theorems`, every theorem that has
            a proof, divided equally among its distinct proofs; or `rewards`, the same divided in proportion
            to R, which is the wake phase of a GFlowNet (Hu et al. 2024, section 3.2): the divergence of
            P_F from R / Z over the proofs at hand.

    Raises:
        ConfigError: There is no such weighting.
    """

    weighting: Weighting = "samples"
    inputs: ClassVar[Inputs] = Inputs(0)

    def __post_init__(self) -> None:
        if self.weighting not in get_args(Weighting):
            raise ConfigError(
                f"loss.weighting={self.weighting}: give one of {', '.join(get_args(Weighting))}"
            )

    def __call__(self, batch: TrajectoryBatch) -> Tensor:
        """Weighted mean negative log-likelihood of the proofs, in nats; 0 when there are none."""
        weight_N = batch.proved_N.to(batch.log_pf_N)
        if self.weighting != "samples":
            distinct_N = weight_N if batch.num_copies_N is None else weight_N / batch.num_copies_N
            _, index_N = batch.group_N.unique(return_inverse=True)
            log_weight_N = (
                batch.log_reward_N if self.weighting == "rewards" else torch.zeros_like(batch.log_reward_N)
            )
            weight_N = reward_weights(log_weight_N, distinct_N, index_N)
        # Not a product: failures may have a likelihood of 0.
        log_pf_N = torch.where(batch.proved_N, batch.log_pf_N, 0.0)
        return -(weight_N * log_pf_N).sum() / weight_N.sum().clamp_min(torch.finfo(weight_N.dtype).tiny)


def reward_weights(log_reward_N: Tensor, weight_N: Tensor, index_N: Tensor) -> Tensor:
    """Weights in proportion to R that sum to 1 in each group, (N,); 0 where `weight_N` is.

    Args:
        log_reward_N: log R, in nats.
        weight_N: Factors of R, at least 0.
        index_N: The group of each trajectory, counted from 0.
    """
    log_weight_N = torch.where(weight_N > 0, log_reward_N + weight_N.log(), -torch.inf)
    best_G = log_weight_N.new_full((int(index_N.max()) + 1,), -torch.inf)
    best_G = best_G.scatter_reduce(0, index_N, log_weight_N, "amax")
    relative_N = torch.where(weight_N > 0, (log_weight_N - best_G[index_N]).exp(), 0.0)
    total_G = torch.zeros_like(best_G).index_add(0, index_N, relative_N)
    return torch.where(weight_N > 0, relative_N / total_G[index_N], 0.0)
