"""Maximum likelihood of the policy's own verified proofs: the baseline that a GFlowNet has to beat."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from ntp.losses.batch import TrajectoryBatch


def expert_iteration_loss(log_pf_N: Tensor, proved_N: Tensor) -> Tensor:
    """Mean negative log-likelihood of the proved trajectories, in nats; 0 when there are none.

    Args:
        log_pf_N: log P_F of whole trajectories, (N,).
        proved_N: Which of them the kernel accepted, (N,) booleans.
    """
    proofs_P = log_pf_N[proved_N]
    return -proofs_P.sum() / max(1, proofs_P.numel())


class ExpertIteration:
    """Supervised fine-tuning on own verified proofs."""

    needs_log_z: ClassVar[bool] = False
    learns_from_failures: ClassVar[bool] = False

    def __call__(self, batch: TrajectoryBatch) -> Tensor:
        """Mean negative log-likelihood of the proofs."""
        return expert_iteration_loss(batch.log_pf_N, batch.proved_N)
