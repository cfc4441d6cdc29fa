import math

import pytest
import torch

from ntp.losses.preference import dpo_loss, label_loss, likelihood_loss

ONES = torch.ones(2, 3)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def test_dpo_is_the_mean_over_pairs_summed_over_heads():
    chosen = torch.tensor([[1.0, 2.0, -1.0], [0.0, 0.5, 3.0]])
    rejected = torch.tensor([[0.0, 2.5, -3.0], [1.0, 0.5, 0.0]])
    wanted = sum(
        -math.log(sigmoid(c - r)) / 3
        for row_c, row_r in zip(chosen.tolist(), rejected.tolist(), strict=True)
        for c, r in zip(row_c, row_r, strict=True)
    )
    assert dpo_loss(chosen, rejected, ONES).item() == pytest.approx(wanted, rel=1e-6)


def test_weights_are_repetitions():
    chosen, rejected = torch.randn(1, 3), torch.randn(1, 3)
    weighted = dpo_loss(chosen, rejected, torch.tensor([[2.0, 0.0, 1.0]]))
    repeated = dpo_loss(chosen[:, [0, 0, 2]], rejected[:, [0, 0, 2]], ONES[:1])
    torch.testing.assert_close(weighted, repeated)
    assert dpo_loss(chosen, rejected, torch.zeros(1, 3)).item() == 0


def test_label_loss_is_torchs_cross_entropy():
    logits, labels = torch.randn(2, 3), torch.tensor([1.0, 0.0, 1.0])
    wanted = sum(torch.nn.functional.binary_cross_entropy_with_logits(row, labels) for row in logits)
    torch.testing.assert_close(label_loss(logits, labels, ONES), wanted)


def test_likelihood_looks_at_correct_tactics_only():
    log_p = torch.tensor([[-2.0, -50.0, -6.0], [-4.0, -50.0, -3.0]])
    labels, tokens = torch.tensor([1.0, 0.0, 1.0]), torch.tensor([2.0, 5.0, 3.0])
    loss = likelihood_loss(log_p, labels, tokens, ONES)
    assert loss.item() == pytest.approx((1.0 + 2.0) / 2 + (2.0 + 1.0) / 2)


def test_the_gradient_of_a_head_is_the_one_it_has_alone():
    chosen, rejected = torch.randn(2, 3, requires_grad=True), torch.randn(2, 3)
    weights = torch.tensor([[1.0, 2.0, 0.0], [1.0, 0.0, 1.0]])
    dpo_loss(chosen, rejected, weights).backward()
    for k in range(2):
        alone = chosen.detach()[k : k + 1].requires_grad_()
        dpo_loss(alone, rejected[k : k + 1], weights[k : k + 1]).backward()
        torch.testing.assert_close(chosen.grad[k : k + 1], alone.grad)
