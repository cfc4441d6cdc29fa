import pytest
import torch
from torch.testing import assert_close

from ntp.errors import ConfigError
from ntp.losses.batch import TrajectoryBatch
from ntp.losses.subtrajectory_balance import DetailedBalance, SubTrajectoryBalance
from ntp.losses.trajectory_balance import huber, square, trajectory_balance_loss

# Two trajectories, of three steps and of one.
LOG_PF = torch.tensor([[-1.0, -2.0, -0.5], [-3.0, 0.0, 0.0]])
MASK = torch.tensor([[True, True, True], [True, False, False]])
LOG_FLOW = torch.tensor([[0.5, -1.5, -2.0], [1.0, 77.0, 77.0]])
LOG_R = torch.tensor([-4.0, -1.0])


def batch(log_pf=LOG_PF, log_flow=LOG_FLOW):
    zeros = torch.zeros(2, dtype=torch.long)
    steps = {"log_pf_NT": log_pf, "mask_NT": MASK, "log_flow_NT": log_flow}
    return TrajectoryBatch(log_pf.sum(1), LOG_R, zeros, zeros > 0, **steps)


def parts(n):
    """Every part of a trajectory: its number of steps and its residual, from the definition."""
    num = int(MASK[n].sum())
    flows = [*LOG_FLOW[n, :num].tolist(), LOG_R[n].item()]
    for i in range(num):
        for j in range(i + 1, num + 1):
            yield j - i, torch.tensor(flows[i] + LOG_PF[n, i:j].sum().item() - flows[j])


@pytest.mark.parametrize(("name", "regression"), [("square", square), ("huber", huber)])
@pytest.mark.parametrize("decay", [0.3, 1.0, 2.0])
def test_by_definition(decay, name, regression):
    expected = torch.stack(
        [
            sum(decay**k * regression(r) for k, r in parts(n)) / sum(decay**k for k, _ in parts(n))
            for n in (0, 1)
        ]
    ).mean()
    assert_close(SubTrajectoryBalance(decay, name)(batch()), expected)


def test_detailed_balance_is_of_single_steps():
    expected = torch.stack(
        [torch.stack([square(r) for k, r in parts(n) if k == 1]).mean() for n in (0, 1)]
    ).mean()
    assert_close(DetailedBalance()(batch()), expected)
    assert_close(SubTrajectoryBalance(1e-6)(batch()), expected, atol=1e-4, rtol=1e-4)


def test_with_a_large_decay_it_is_trajectory_balance():
    expected = trajectory_balance_loss(LOG_PF.sum(1), LOG_R, LOG_FLOW[:, 0])
    assert_close(SubTrajectoryBalance(1e6)(batch()), expected, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("decay", [1e-30, 1e-3, 1e10, 1e30])
def test_any_decay_is_finite_for_long_trajectories(decay):
    log_pf = torch.full((1, 60), -0.5, requires_grad=True)
    mask = torch.ones(1, 60, dtype=torch.bool)
    zeros = torch.zeros(1, dtype=torch.long)
    steps = {"log_pf_NT": log_pf, "mask_NT": mask, "log_flow_NT": torch.zeros(1, 60)}
    loss = SubTrajectoryBalance(decay)(
        TrajectoryBatch(log_pf.sum(1), torch.zeros(1), zeros, zeros > 0, **steps)
    )
    loss.backward()
    assert loss.item() == pytest.approx(0.25 if decay < 1 else 900.0, rel=0.05)
    assert log_pf.grad.isfinite().all()


@pytest.mark.parametrize("objective", [SubTrajectoryBalance(), DetailedBalance()])
def test_the_padding_has_no_gradient(objective):
    log_pf, log_flow = LOG_PF.clone().requires_grad_(), LOG_FLOW.clone().requires_grad_()
    objective(batch(log_pf, log_flow)).backward()
    assert (log_pf.grad[MASK] != 0).all() and (log_flow.grad[MASK] != 0).all()
    assert (log_flow.grad[~MASK] == 0).all()


def test_it_is_zero_at_flows_that_balance():
    log_flow = torch.flip(torch.flip(-LOG_PF[:1], [1]).cumsum(1), [1]) + 0.0
    # From the end: log F_t = log R - the log P_F of the steps after t.
    exact = LOG_R[:1, None] + log_flow
    both = torch.cat([exact, torch.tensor([[LOG_R[1] - LOG_PF[1, 0], 0.0, 0.0]])])
    for objective in (SubTrajectoryBalance(), DetailedBalance()):
        assert_close(objective(batch(log_flow=both)), torch.tensor(0.0))


@pytest.mark.parametrize("objective", [SubTrajectoryBalance, DetailedBalance])
def test_an_unknown_regression_loss_is_refused(objective):
    with pytest.raises(ConfigError, match=r"loss\.regression=cube"):
        objective(regression="cube")
