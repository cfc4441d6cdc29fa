import pytest
import torch

from ntp.losses.diversity import head_diversity


def heads(num_heads=3, r=2, width=5, height=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    a_KRD = torch.randn(num_heads, r, width, generator=generator, dtype=torch.float64)
    b_KOR = torch.randn(num_heads, height, r, generator=generator, dtype=torch.float64)
    return a_KRD.requires_grad_(), b_KOR.requires_grad_()


def test_it_is_the_nuclear_norm_of_the_scaled_updates():
    a_KRD, b_KOR = heads()
    update_KM = (b_KOR @ a_KRD).flatten(1)
    update_KM = update_KM / update_KM.norm(dim=1, keepdim=True)
    expected = torch.linalg.matrix_norm(update_KM, "nuc").item() / 3
    assert head_diversity(a_KRD, b_KOR).item() == pytest.approx(expected, abs=1e-4)


def test_equal_heads_are_least_and_orthogonal_heads_most_diverse():
    a_KRD, b_KOR = heads()
    same = head_diversity(a_KRD[:1].expand(4, -1, -1), 2 * b_KOR[:1].expand(4, -1, -1))
    assert same.item() == pytest.approx(0.5, abs=1e-3)
    a_KRD = torch.eye(6).view(3, 2, 6)
    assert head_diversity(a_KRD, torch.ones(3, 4, 2)).item() == pytest.approx(1, abs=1e-4)


def test_gradients_are_finite_before_the_first_step():
    a_KRD, b_KOR = heads()
    with torch.no_grad():
        b_KOR.zero_()
    head_diversity(a_KRD, b_KOR).backward()
    assert a_KRD.grad.isfinite().all()
    assert b_KOR.grad.isfinite().all()
