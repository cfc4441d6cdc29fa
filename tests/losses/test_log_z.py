import torch
from torch.testing import assert_close

from ntp.losses.trajectory_balance import LogZ


def test_starts_at_zero_and_where_it_is_told():
    log_z = LogZ(8)
    features_BD = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))
    assert log_z.is_zero
    assert_close(log_z(features_BD), torch.zeros(5))
    log_z.start_at(-3.5)
    assert not log_z.is_zero
    assert_close(log_z(features_BD), torch.full((5,), -3.5))


def test_features_get_no_gradient():
    log_z = LogZ(8)
    features_BD = torch.randn(5, 8, requires_grad=True)
    log_z(features_BD).sum().backward()
    assert features_BD.grad is None
    assert log_z.head.weight.grad is not None


def test_learns_one_value_per_theorem_at_any_width():
    target_B = torch.tensor([-8.0, -2.0, 1.0])
    for width in (16, 1024):
        log_z = LogZ(width)
        features_BD = 30 * torch.randn(3, width, generator=torch.Generator().manual_seed(1))
        optimizer = torch.optim.Adam(log_z.parameters(), lr=0.1)
        for _ in range(400):
            optimizer.zero_grad()
            (log_z(features_BD) - target_B).square().mean().backward()
            optimizer.step()
        assert_close(log_z(features_BD).detach(), target_B, atol=0.05, rtol=0)
