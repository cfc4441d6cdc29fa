import pytest
import torch
from torch.testing import assert_close

from ntp.losses.trajectory_balance import huber, jeffreys, linex, square


def test_square_is_the_square():
    assert_close(square(torch.tensor([-3.0, 0.0, 0.5])), torch.tensor([9.0, 0.0, 0.25]))


@pytest.mark.parametrize("delta", [0.3, 1.0, 4.0])
def test_huber_is_twice_the_textbook_one(delta: float):
    residual_N = torch.linspace(-6, 6, 41, dtype=torch.float64)
    textbook_N = torch.nn.functional.huber_loss(
        residual_N, torch.zeros_like(residual_N), reduction="none", delta=delta
    )
    assert_close(huber(residual_N, delta), 2 * textbook_N)


def test_huber_bounds_the_gradient():
    residual_N = torch.tensor([-50.0, -1.0, 0.0, 0.5, 50.0], requires_grad=True)
    huber(residual_N, delta=2.0).sum().backward()
    assert_close(residual_N.grad, torch.tensor([-4.0, -2.0, 0.0, 1.0, 4.0]))


def on_policy_gradient(regression):
    """The gradient with respect to logits of the loss under the policy's own samples, and the target."""
    logits = torch.tensor([0.3, -0.4, 0.9, 0.0], dtype=torch.float64, requires_grad=True)
    target = torch.tensor([0.1, 0.4, 0.2, 0.3], dtype=torch.float64)
    log_pf = logits.log_softmax(0)
    (log_pf.exp().detach() * regression(log_pf - target.log())).sum().backward()
    return logits.grad, logits, target


def test_linex_on_policy_is_the_forward_divergence():
    found, logits, target = on_policy_gradient(linex)
    (forward,) = torch.autograd.grad((target * (target.log() - logits.log_softmax(0))).sum(), logits)
    assert_close(found, 2 * forward)


def test_square_on_policy_is_the_reverse_divergence():
    found, logits, target = on_policy_gradient(square)
    log_pf = logits.log_softmax(0)
    (reverse,) = torch.autograd.grad((log_pf.exp() * (log_pf - target.log())).sum(), logits)
    assert_close(found, 2 * reverse)


def test_jeffreys_is_the_shifted_cosh():
    residual = torch.linspace(-3, 3, 13, dtype=torch.float64)
    assert_close(jeffreys(residual), residual.exp() + (-residual).exp() - 2)


@pytest.mark.parametrize("regression", [linex, jeffreys])
def test_exponentials_are_linear_far_from_balance(regression):
    residual = torch.tensor([-100.0, -50.0, -30.0], requires_grad=True)
    regression(residual).sum().backward()
    assert residual.grad.isfinite().all()
    assert_close(residual.grad, residual.grad[-1].expand(3))
