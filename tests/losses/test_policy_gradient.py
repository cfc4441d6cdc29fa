import math

import pytest
import torch
from torch.testing import assert_close

from ntp.losses.batch import TrajectoryBatch
from ntp.losses.policy_gradient import GRPO, Reinforce, unlikeliness_reward

# Two theorems: one with proofs and failures, one without any proof.
GROUP = torch.tensor([4, 4, 4, 4, 9, 9])
PROVED = torch.tensor([True, False, True, False, False, False])
LOG_PF = torch.tensor([-1.0, -2.0, -3.0, -4.0, -5.0, -6.0])


def batch(log_pf=LOG_PF, proved=PROVED, group=GROUP, **kwargs):
    return TrajectoryBatch(log_pf, torch.zeros_like(log_pf), group, proved, **kwargs)


def gradient(objective, **kwargs):
    log_pf = LOG_PF.clone().requires_grad_()
    objective(batch(log_pf, **kwargs)).backward()
    return log_pf.grad


def test_grpo_by_hand():
    assert_close(gradient(GRPO()), -torch.tensor([1.0, -1.0, 1.0, -1.0, 0.0, 0.0]) / 6, atol=1e-5, rtol=0)


def test_reinforce_is_the_leave_one_out_baseline():
    # Of three others, one or two are proofs.
    expected = torch.tensor([1 - 1 / 3, 0 - 2 / 3, 1 - 1 / 3, 0 - 2 / 3, 0.0, 0.0])
    assert_close(gradient(Reinforce()), -expected / 6)


def test_reinforce_is_unbiased_on_a_bandit():
    """The mean over all samples, weighted by their probability, is the exact gradient of the success rate."""
    logits = torch.tensor([0.3, -0.4, 0.1], requires_grad=True)
    reward = torch.tensor([True, False, True])
    (torch.softmax(logits, 0) * reward).sum().backward()
    exact, logits.grad = logits.grad.clone(), None
    total = torch.zeros(3)
    for draws in torch.cartesian_prod(*[torch.arange(3)] * 3):
        log_p = torch.log_softmax(logits, 0)[draws]
        loss = Reinforce()(batch(log_p, reward[draws], torch.zeros(3, dtype=torch.long)))
        (gradient_of_loss,) = torch.autograd.grad(loss, logits)
        total -= math.exp(log_p.sum().item()) * gradient_of_loss
    assert_close(total, exact, atol=1e-6, rtol=1e-5)


def test_the_likeliest_proof_is_rewarded_least():
    found = unlikeliness_reward(PROVED, LOG_PF, GROUP, rank_penalty=0.5)
    assert_close(found, torch.tensor([1 - 0.5, 0.0, 1 - 0.5 * 2 / 4, 0.0, 0.0, 0.0]))
    plain, unlikely = gradient(GRPO()), gradient(GRPO(rank_penalty=0.5))
    assert unlikely[2] < unlikely[0] < 0 and plain[2] == plain[0]


def test_the_divergence_is_zero_at_the_prior_and_pulls_towards_it():
    at_prior = batch(log_ref_N=LOG_PF)
    assert_close(GRPO(kl_weight=3.0)(at_prior), GRPO()(at_prior))
    pulled = gradient(GRPO(kl_weight=1.0), log_ref_N=LOG_PF + 1) - gradient(GRPO())
    assert (pulled < 0).all(), "where the prior is likelier, probability is raised"


@pytest.mark.parametrize("objective", [GRPO(), Reinforce()])
def test_equal_rewards_say_nothing(objective):
    log_pf = torch.tensor([-torch.inf, -1.0, -2.0], requires_grad=True)
    for proved in (torch.tensor([True] * 3), torch.tensor([False] * 3)):
        loss = objective(batch(log_pf, proved, torch.zeros(3, dtype=torch.long)))
        assert loss == 0
    alone = objective(batch(torch.tensor([-1.0]), torch.tensor([True]), torch.tensor([0])))
    assert alone == 0
