import math

import pytest
import torch
from torch.testing import assert_close

from ntp.errors import ConfigError
from ntp.losses.batch import GoalTargets, TrajectoryBatch
from ntp.losses.goal_balance import GoalBalance
from ntp.losses.trajectory_balance import huber, square

INF = math.inf
# Goal 0: two tactics of proofs, one of them in two trajectories, and a failure. Goal 1: one tactic of a
# proof. Goal 2: nothing is known.
MASK = torch.tensor([[True, True], [True, True], [True, False], [True, True]])
GOAL = torch.tensor([[0, 1], [0, 2], [0, 0], [0, 0]])
TARGET = torch.tensor([[-0.3, 0.0], [-0.3, -INF], [-9.0, -INF], [-1.4, -INF]])
PROVED = torch.tensor([[True, True], [True, False], [False, False], [True, False]])
COPIES = torch.tensor([[2, 1], [2, 1], [1, 0], [1, 1]])
LOG_PF = torch.tensor([[-2.0, -0.5], [-2.0, -4.0], [-1.0, 0.0], [-3.0, -6.0]])


def batch(log_pf=LOG_PF, target=TARGET):
    zeros = torch.zeros(4, dtype=torch.long)
    goals = GoalTargets(target, PROVED, GOAL, COPIES)
    return TrajectoryBatch(
        log_pf.sum(1), torch.zeros(4), zeros, zeros > 0, log_pf_NT=log_pf, mask_NT=MASK, goals=goals
    )


@pytest.mark.parametrize(("name", "regression"), [("square", square), ("huber", huber)])
def test_by_hand(name, regression):
    first, second, failure, other = regression(torch.tensor([-2.0 + 0.3, -3.0 + 1.4, -1.0 + 9.0, -0.5]))
    expected = ((first + second) / 2 + 0.1 * failure + other) / 2
    assert_close(GoalBalance(failure_weight=0.1, regression=name)(batch()), expected)


def test_the_likelihood_is_in_proportion_to_the_target():
    found = GoalBalance(likelihood_weight=3.0)(batch()) - GoalBalance()(batch())
    share = torch.softmax(torch.tensor([-0.3, -1.4]), 0)
    assert_close(found, 3.0 * (share @ torch.tensor([2.0, 3.0]) + 0.5) / 2)


def test_it_is_zero_at_the_target_and_steps_without_one_have_no_gradient():
    log_pf = torch.where(torch.isfinite(TARGET), TARGET, -5.0).requires_grad_()
    loss = GoalBalance()(batch(log_pf))
    assert loss == 0
    log_pf = LOG_PF.clone().requires_grad_()
    GoalBalance()(batch(log_pf)).backward()
    assert (log_pf.grad != 0).tolist() == torch.isfinite(TARGET).tolist()


def test_without_any_known_proof_the_loss_is_zero_and_differentiable():
    log_pf = LOG_PF.clone().requires_grad_()
    loss = GoalBalance()(batch(log_pf, torch.full_like(TARGET, -INF)))
    loss.backward()
    assert loss == 0 and not log_pf.grad.any()


def test_an_unknown_regression_loss_is_refused():
    with pytest.raises(ConfigError, match=r"loss\.regression=cube"):
        GoalBalance(regression="cube")
