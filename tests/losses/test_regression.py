import pytest
import torch
from torch.testing import assert_close

from ntp.losses.trajectory_balance import huber, square


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
