"""Maximum likelihood of the policy's own verified proofs: the baseline that a GFlowNet has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor

from ntp.errors import ConfigError
from ntp.losses.batch import TrajectoryBatch

Weighting = Literal["samples", "theorems"]


@dataclass(frozen=True, slots=True)
class ExpertIteration:
    """Supervised fine-tuning on own verified proofs.

    Attributes:
        weighting: What has the same weight: `samples`, every proof that was sampled or replayed, so that
            theorems with many proofs and proofs sampled often have more; or `theorems`, every theorem that
            has a proof, divided equally among its distinct proofs.

    Raises:
        ConfigError: There is no such weighting.
    """

    weighting: Weighting = "samples"
    needs_log_z: ClassVar[bool] = False
    needs_known_proofs: ClassVar[bool] = False
    learns_from_failures: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.weighting not in get_args(Weighting):
            names = " or ".join(get_args(Weighting))
            raise ConfigError(f"loss.weighting={self.weighting}: give {names}")

    def __call__(self, batch: TrajectoryBatch) -> Tensor:
        """Weighted mean negative log-likelihood of the proofs, in nats; 0 when there are none."""
        weight_N = batch.proved_N.to(batch.log_pf_N)
        if self.weighting == "theorems":
            weight_N = _theorem_weights(batch, weight_N)
        # Not a product: failures may have a likelihood of 0.
        log_pf_N = torch.where(batch.proved_N, batch.log_pf_N, 0.0)
        return -(weight_N * log_pf_N).sum() / weight_N.sum().clamp_min(torch.finfo(weight_N.dtype).tiny)


def _theorem_weights(batch: TrajectoryBatch, proved_N: Tensor) -> Tensor:
    distinct_N = proved_N if batch.num_copies_N is None else proved_N / batch.num_copies_N
    _, index_N = batch.group_N.unique(return_inverse=True)
    num_distinct_G = distinct_N.new_zeros(int(index_N.max()) + 1).index_add(0, index_N, distinct_N)
    return torch.where(batch.proved_N, distinct_N / num_distinct_G[index_N], 0.0)
