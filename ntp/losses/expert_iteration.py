"""Maximum likelihood of the policy's own verified proofs: the baseline that a GFlowNet has to beat."""

from __future__ import annotations

from torch import Tensor


def expert_iteration_loss(log_pf_N: Tensor, proved_N: Tensor) -> Tensor:
    """Mean negative log-likelihood of the proved trajectories, in nats; 0 when there are none.

    Args:
        log_pf_N: log P_F of whole trajectories, (N,).
        proved_N: Which of them the kernel accepted, (N,) booleans.
    """
    proofs_P = log_pf_N[proved_N]
    return -proofs_P.sum() / max(1, proofs_P.numel())
