"""Balance of parts of trajectories, with a learned flow through every state.

Credit for a proof reaches its single tactics through the flows, where trajectory balance has one residual for
a whole trajectory. The flow of a state is the reward of the steps that led to it times the flows of its open
goals (`ntp.losses.goal_balance`), as in forward-looking GFlowNets (Pan et al. 2023, section 3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ntp.bounds import PositiveFloat
from ntp.losses.batch import Inputs, TrajectoryBatch
from ntp.losses.trajectory_balance import RegressionLoss, regression_loss, square


def potentials(batch: TrajectoryBatch) -> tuple[Tensor, Tensor]:
    """Log F minus the log P_F of the steps so far, at the states of each trajectory.

    Balance of a part from state i to state j, log F_i + log P_F(i .. j) = log F_j, is equality of the two.

    Returns:
        The potentials (N, T + 1) in nats, that of a trajectory of n steps at n with log R in place of log F,
        and how many steps n each trajectory has, (N,).
    """
    assert batch.log_pf_NT is not None and batch.mask_NT is not None, "this objective needs single steps"
    assert batch.log_flow_NT is not None, "this objective needs the flows of states"
    length_N = batch.mask_NT.sum(1)
    zero_N1 = batch.log_pf_NT.new_zeros(len(length_N), 1)
    walked_NS = torch.cat([zero_N1, batch.log_pf_NT.cumsum(1)], 1)
    log_flow_NS = torch.cat([batch.log_flow_NT, zero_N1], 1)
    log_flow_NS = log_flow_NS.scatter(1, length_N[:, None], batch.log_reward_N[:, None])
    return log_flow_NS - walked_NS, length_N


def subtrajectory_balance_loss(
    batch: TrajectoryBatch, decay: float | None, regression: RegressionLoss = square
) -> Tensor:
    """Mean over trajectories of the weighted mean loss of their parts, a scalar; 0 for an empty batch.

    A part of k steps has weight decay^k (Madan et al. 2022, equation 12).

    Args:
        batch: With flows.
        decay: Lambda, above 0; None for parts of one step only, which is detailed balance.
        regression: Loss of a residual.
    """
    potential_NS, length_N = potentials(batch)
    index_S = torch.arange(potential_NS.shape[1], device=length_N.device)
    steps_SS = index_S - index_S[:, None]
    is_part_NSS = (steps_SS > 0) & (index_S <= length_N[:, None, None])
    if decay is None:
        is_part_NSS = is_part_NSS & (steps_SS == 1)
    # Powers of the decay would be out of range: the weights of a trajectory, which sum to 1, are not.
    log_weight_SS = steps_SS * math.log(decay or 1.0)
    log_weight_NSS = torch.where(is_part_NSS, log_weight_SS, -torch.inf).to(potential_NS)
    weight_NSS = log_weight_NSS.flatten(1).softmax(1).view_as(log_weight_NSS)
    residual_NSS = potential_NS[:, :, None] - potential_NS[:, None, :]
    loss_NSS = regression(torch.where(is_part_NSS, residual_NSS, 0.0)) * weight_NSS
    return loss_NSS.sum() / max(1, len(length_N))


@dataclass(frozen=True, slots=True)
class SubTrajectoryBalance:
    """Balance of all parts of a trajectory, the shorter the more.

    Attributes:
        decay: Lambda: how much less a part weighs for each step that it is longer. Towards 0 only single
            steps count, as in detailed balance; with large values only whole trajectories.
        regression: Loss of a residual, a name of `REGRESSION_LOSSES`.

    Raises:
        ConfigError: There is no such regression loss.
    """

    decay: PositiveFloat = 0.9
    regression: str = "square"
    inputs: ClassVar[Inputs] = Inputs.FAILURES | Inputs.LOG_FLOW

    def __post_init__(self) -> None:
        regression_loss(self.regression)

    def __call__(self, batch: TrajectoryBatch) -> Tensor:
        """Mean over trajectories."""
        return subtrajectory_balance_loss(batch, self.decay, regression_loss(self.regression))


@dataclass(frozen=True, slots=True)
class DetailedBalance:
    """Balance of every single step: log F(s) + log P_F(tactic) = log F(s') (Bengio et al. 2023, equation 13).

    Attributes:
        regression: Loss of a residual, a name of `REGRESSION_LOSSES`.

    Raises:
        ConfigError: There is no such regression loss.
    """

    regression: str = "square"
    inputs: ClassVar[Inputs] = Inputs.FAILURES | Inputs.LOG_FLOW

    def __post_init__(self) -> None:
        regression_loss(self.regression)

    def __call__(self, batch: TrajectoryBatch) -> Tensor:
        """Mean over trajectories of the mean over their steps."""
        return subtrajectory_balance_loss(batch, None, regression_loss(self.regression))
