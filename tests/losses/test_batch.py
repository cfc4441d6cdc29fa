import pytest
import torch
from torch.testing import assert_close

from ntp.errors import ConfigError
from ntp.losses.batch import Inputs, TrajectoryBatch
from ntp.losses.expert_iteration import ExpertIteration
from ntp.losses.trajectory_balance import (
    Pairwise,
    TrajectoryBalance,
    VarGrad,
    huber,
    pairwise_loss,
    trajectory_balance_loss,
    vargrad_loss,
)

LOG_PF = torch.tensor([-1.0, -2.0, -4.0, -8.0])
LOG_R = torch.tensor([-3.0, -2.5, -9.0, -1.0])
GROUP = torch.tensor([0, 0, 1, 1])
PROVED = torch.tensor([True, False, True, True])
LOG_Z = torch.tensor([0.5, 0.5, -1.0, -1.0])


def batch(kept, **kwargs):
    """The trajectories that are kept."""
    fields = (LOG_PF, LOG_R, GROUP, PROVED, LOG_Z)
    return TrajectoryBatch(*(field[kept] for field in fields), **kwargs)


ALL = torch.ones(4, dtype=torch.bool)


@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        (TrajectoryBalance(), trajectory_balance_loss(LOG_PF, LOG_R, LOG_Z)),
        (TrajectoryBalance("huber"), trajectory_balance_loss(LOG_PF, LOG_R, LOG_Z, huber)),
        (VarGrad(), vargrad_loss(LOG_PF, LOG_R, GROUP)),
        (VarGrad("huber"), vargrad_loss(LOG_PF, LOG_R, GROUP, huber)),
        (Pairwise(), pairwise_loss(LOG_PF, LOG_R, torch.zeros(4), GROUP, huber)),
        (ExpertIteration(), -LOG_PF[PROVED].mean()),
    ],
)
def test_objectives_compute_their_loss(objective, expected):
    assert_close(objective(batch(ALL)), expected)


@pytest.mark.parametrize(
    "objective", [TrajectoryBalance(), VarGrad(), ExpertIteration(), ExpertIteration("theorems")]
)
def test_failures_are_an_input_if_leaving_them_out_changes_the_loss(objective):
    whole, proofs = objective(batch(ALL)), objective(batch(PROVED))
    assert (whole.item() != proofs.item()) == (Inputs.FAILURES in objective.inputs)


@pytest.mark.parametrize("objective", [TrajectoryBalance, VarGrad])
def test_unknown_regression_loss_is_refused(objective):
    with pytest.raises(ConfigError, match=r"loss\.regression=cube"):
        objective("cube")
