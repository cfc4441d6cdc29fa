import pytest
import torch
from torch.testing import assert_close

from ntp.errors import ConfigError
from ntp.losses.anchored_balance import AnchoredBalance
from ntp.losses.batch import TrajectoryBatch
from ntp.losses.expert_iteration import ExpertIteration
from ntp.losses.trajectory_balance import huber, square

# Theorem 0: a proof sampled twice, another, two failures. Theorem 1: a failure, no proof. Theorem 2: a proof.
GROUP = torch.tensor([0, 0, 0, 0, 0, 1, 2])
PROVED = torch.tensor([True, True, True, False, False, False, True])
COPIES = torch.tensor([2, 2, 1, 1, 1, 1, 1])
LOG_R = torch.tensor([-1.0, -1.0, -2.0, -9.0, -10.0, -9.0, -3.0])
KNOWN = {0: [-1.0, -2.0, -4.0], 2: [-3.0]}


def batch(log_pf, **kwargs):
    anchors = [torch.tensor(KNOWN.get(int(g), [-torch.inf])).logsumexp(0) for g in GROUP]
    return TrajectoryBatch(
        log_pf_N=log_pf,
        log_reward_N=LOG_R,
        group_N=GROUP,
        proved_N=PROVED,
        num_copies_N=COPIES,
        log_anchor_N=torch.stack(anchors),
        **kwargs,
    )


@pytest.mark.parametrize(("name", "charge"), [("square", square), ("huber", huber)])
def test_by_hand(name, charge):
    log_pf = torch.tensor([-0.5, -0.5, -3.0, -1.0, -2.0, -5.0, -0.1])
    z0, z2 = torch.tensor(KNOWN[0]).logsumexp(0), torch.tensor(-3.0)
    loss = charge(torch.stack([z0 - 0.5 + 1, z0 - 3 + 2, z0 - 1 + 9, z0 - 2 + 10, z2 - 0.1 + 3]))
    expected = ((loss[0] + loss[1]) / 2 + 0.1 * (loss[2] + loss[3]) / 2 + loss[4]) / 2
    found = AnchoredBalance(failure_weight=0.1, regression=name)(batch(log_pf))
    assert_close(found, expected)


def test_it_is_zero_where_the_policy_is_the_reward_over_known_proofs():
    log_z = torch.tensor([torch.tensor(KNOWN.get(int(g), [0.0])).logsumexp(0) for g in GROUP])
    assert AnchoredBalance()(batch(LOG_R - log_z)) == 0


def test_what_was_never_sampled_raises_log_z():
    unseen = torch.full((7,), 0.5)
    log_z = torch.tensor([torch.tensor(KNOWN.get(int(g), [0.0])).logsumexp(0) for g in GROUP])
    log_pf = LOG_R - log_z + torch.log(torch.tensor(0.5))
    assert_close(AnchoredBalance(expects_unseen=True)(batch(log_pf, unseen_N=unseen)), torch.tensor(0.0))
    assert AnchoredBalance(expects_unseen=False)(batch(log_pf, unseen_N=unseen)) > 0.1


def test_theorems_without_a_proof_have_no_gradient():
    log_pf = torch.full((7,), -4.0, requires_grad=True)
    AnchoredBalance()(batch(log_pf)).backward()
    assert log_pf.grad[5] == 0 and (log_pf.grad[:5] != 0).all()


def test_far_from_balance_its_direction_is_that_of_distinct_proofs():
    """With the Huber loss the gradient of unlikely proofs is that of maximum likelihood, theorems alike."""
    anchored = torch.full((7,), -40.0, requires_grad=True)
    likelihood = torch.full((7,), -40.0, requires_grad=True)
    AnchoredBalance(failure_weight=0.0)(batch(anchored)).backward()
    ExpertIteration(weighting="theorems")(batch(likelihood)).backward()
    assert_close(anchored.grad, 2 * likelihood.grad)


def test_without_any_proof_the_loss_is_zero_and_differentiable():
    log_pf = torch.full((1,), -4.0, requires_grad=True)
    nothing = torch.tensor([-torch.inf])
    loss = AnchoredBalance()(
        TrajectoryBatch(log_pf, LOG_R[:1], GROUP[:1], torch.tensor([False]), log_anchor_N=nothing)
    )
    assert loss == 0
    loss.backward()
    assert log_pf.grad == 0


def test_the_wake_phase_is_the_likelihood_of_distinct_proofs_in_proportion_to_reward():
    log_pf = torch.tensor([-0.5, -0.5, -3.0, -1.0, -2.0, -5.0, -0.1])
    with_wake, without = (AnchoredBalance(likelihood_weight=w)(batch(log_pf)) for w in (2.0, 0.0))
    share = torch.softmax(torch.tensor([-1.0, -2.0]), 0)  # the sampled proofs of theorem 0
    expected = 2.0 * ((share[0] * 0.5 + share[1] * 3.0) + 0.1) / 2
    assert_close(with_wake - without, expected)


def test_an_unknown_regression_loss_is_refused():
    with pytest.raises(ConfigError, match=r"loss\.regression=cube"):
        AnchoredBalance(regression="cube")
