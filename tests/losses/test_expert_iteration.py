import pytest
import torch
from torch.testing import assert_close

from ntp.errors import ConfigError
from ntp.losses.batch import TrajectoryBatch
from ntp.losses.expert_iteration import ExpertIteration


def batch(log_pf_N, proved, group, num_copies):
    proved_N = torch.tensor(proved)
    return TrajectoryBatch(
        log_pf_N,
        -torch.arange(len(proved)) / 2,
        torch.tensor(group),
        proved_N,
        num_copies_N=torch.tensor(num_copies),
    )


def gradient(weighting, proved, group, num_copies):
    log_pf_N = torch.tensor([-1.0, -2.0, -6.0, -4.0, -8.0][: len(proved)], requires_grad=True)
    loss = ExpertIteration(weighting)(batch(log_pf_N, proved, group, num_copies))
    loss.backward()
    return loss.item(), log_pf_N.grad


def test_samples_have_equal_weights():
    loss, grad = gradient("samples", [True, False, True], [0, 0, 1], [1, 1, 1])
    assert loss == 3.5
    assert_close(grad, torch.tensor([-0.5, 0.0, -0.5]))


def test_theorems_have_equal_weights_and_their_distinct_proofs_too():
    # Theorem 0 has one proof sampled twice, another one, and a failure; theorem 1 has one proof.
    loss, grad = gradient("theorems", [True, True, True, False, True], [0, 0, 0, 0, 7], [2, 2, 1, 1, 1])
    expected = torch.tensor([-1 / 8, -1 / 8, -1 / 4, 0.0, -1 / 2])
    assert_close(grad, expected)
    assert loss == pytest.approx((1 + 2) / 8 + 6 / 4 + 8 / 2)


def test_rewards_divide_a_theorem_among_its_distinct_proofs():
    _, grad = gradient("rewards", [True, True, True, False, True], [0, 0, 0, 0, 7], [2, 2, 1, 1, 1])
    # log R is 0, -1/2, -1 for the proofs of theorem 0; the first two are taken for copies of one.
    share = torch.softmax(torch.tensor([0.0, -0.5, -1.0]) + torch.tensor([0.5, 0.5, 1.0]).log(), 0)
    assert_close(grad, -torch.tensor([*share, 0.0, 1.0]) / 2)


@pytest.mark.parametrize("weighting", ["samples", "theorems", "rewards"])
def test_without_proofs_it_is_zero_with_zero_gradient(weighting):
    loss, grad = gradient(weighting, [False, False], [0, 1], [1, 1])
    assert loss == 0
    assert_close(grad, torch.zeros(2))


def test_a_failure_without_likelihood_is_no_matter():
    log_pf_N = torch.tensor([-1.0, -torch.inf], requires_grad=True)
    loss = ExpertIteration()(batch(log_pf_N, [True, False], [0, 0], [1, 1]))
    loss.backward()
    assert loss.item() == 1
    assert_close(log_pf_N.grad, torch.tensor([-1.0, 0.0]))


def test_an_unknown_weighting_is_refused():
    with pytest.raises(ConfigError, match=r"loss\.weighting=proofs: give one of samples, theorems, rewards"):
        ExpertIteration("proofs")
