import torch
from torch.testing import assert_close

from ntp.losses.expert_iteration import expert_iteration_loss


def test_mean_negative_log_likelihood_of_the_proofs():
    log_pf_N = torch.tensor([-1.0, -2.0, -6.0], requires_grad=True)
    loss = expert_iteration_loss(log_pf_N, torch.tensor([True, False, True]))
    loss.backward()
    assert_close(loss.item(), 3.5)
    assert_close(log_pf_N.grad, torch.tensor([-0.5, 0.0, -0.5]))


def test_without_proofs_it_is_zero_with_zero_gradient():
    log_pf_N = torch.tensor([-1.0, -2.0], requires_grad=True)
    loss = expert_iteration_loss(log_pf_N, torch.tensor([False, False]))
    loss.backward()
    assert loss.item() == 0
    assert_close(log_pf_N.grad, torch.zeros(2))
