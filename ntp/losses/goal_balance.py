"""Balance at single goals, which a policy that reads one goal can reach.

A policy that reads the first goal cannot make its choice depend on the steps before or on the other goals, so
most targets over whole proofs are out of its reach. Proofs of independent goals multiply: if the tactic t
leaves the goals g_1 .. g_m of g, the reward r of tactics alone gives flows

    Z(g) = sum over t of r(t | g) Z(g_1) .. Z(g_m),    P(t | g) = r(t | g) Z(g_1) .. Z(g_m) / Z(g),

and sampling from P goal by goal samples whole proofs in proportion to the product of r over their tactics:
trajectory balance holds for every goal at once, and is a condition on each tactic alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ntp.bounds import NonNegativeFloat
from ntp.losses.anchored_balance import mean_by_group
from ntp.losses.batch import Inputs, TrajectoryBatch
from ntp.losses.trajectory_balance import regression_loss


@dataclass(frozen=True, slots=True)
class GoalBalance:
    """log P_F(t | g) = log P(t | g) for the known tactics t of each goal g.

    The mean over the goals of a batch that have a known proof of: the mean regression loss of the distinct
    tactics that begin one, plus `failure_weight` times that of the distinct tactics that failed there.

    Attributes:
        failure_weight: Weight of a goal's failures against the tactics of its proofs.
        likelihood_weight: Weight of the mean negative log-likelihood, in nats, of the tactics that begin a
            proof, in proportion to their target.
        regression: Loss of a residual, a name of `REGRESSION_LOSSES`.

    Raises:
        ConfigError: There is no such regression loss.
    """

    failure_weight: NonNegativeFloat = 0.02
    likelihood_weight: NonNegativeFloat = 0.0
    regression: str = "huber"
    inputs: ClassVar[Inputs] = Inputs.FAILURES | Inputs.GOALS

    def __post_init__(self) -> None:
        regression_loss(self.regression)

    def __call__(self, batch: TrajectoryBatch) -> Tensor:
        """Mean over goals; 0 when none has a known proof."""
        goals, log_pf_NT = batch.goals, batch.log_pf_NT
        assert goals is not None and log_pf_NT is not None, "goal balance needs the targets of tactics"
        known_NT = torch.isfinite(goals.log_target_NT)
        if not known_NT.any():
            return 0.0 * log_pf_NT.sum()
        log_pf_E, log_target_E = log_pf_NT[known_NT], goals.log_target_NT[known_NT]
        proved_E, copies_E = goals.proved_NT[known_NT], goals.num_copies_NT[known_NT]
        _, index_E = goals.goal_NT[known_NT].unique(return_inverse=True)
        num_goals = int(index_E.max()) + 1
        loss_E = regression_loss(self.regression)(log_pf_E - log_target_E)
        loss_G = mean_by_group(loss_E, proved_E / copies_E, index_E, num_goals)
        loss_G = loss_G + self.failure_weight * mean_by_group(
            loss_E, ~proved_E / copies_E, index_E, num_goals
        )
        if self.likelihood_weight:
            share_E = proved_E * log_target_E.exp() / copies_E
            loss_G = loss_G - self.likelihood_weight * mean_by_group(log_pf_E, share_E, index_E, num_goals)
        return loss_G.mean()
