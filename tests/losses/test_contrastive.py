import pytest
import torch

from ntp.errors import ConfigError
from ntp.losses.contrastive import InfoNCE, SimilarityMSE


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    similarity = torch.rand((3, 5), generator=generator, dtype=torch.float64) * 2 - 1
    positive = torch.tensor([[1, 0, 0, 1, 0], [0, 1, 0, 0, 0], [0, 0, 1, 0, 1]], dtype=torch.bool)
    return similarity, positive, torch.tensor([3, 1, 2])


def test_info_nce_is_the_cross_entropy_of_the_target_among_negatives(batch):
    similarity, positive, target = batch
    losses = []
    for row in range(3):
        negatives = [m for m in range(5) if not positive[row, m]]
        logits = similarity[row, [target[row], *negatives]] / 0.1
        losses.append(torch.logsumexp(logits, 0) - logits[0])
    assert InfoNCE(0.1)(*batch).item() == pytest.approx(torch.stack(losses).mean().item())


def test_gradients_are_right_and_other_positives_get_none(batch):
    similarity, positive, target = batch
    similarity.requires_grad_()
    assert torch.autograd.gradcheck(lambda s: InfoNCE(0.5)(s, positive, target), similarity)
    InfoNCE(0.5)(similarity, positive, target).backward()
    assert similarity.grad[0, 0] == 0
    assert (similarity.grad[0, [1, 2, 4]] > 0).all()
    assert similarity.grad[0, 3] < 0


def test_mse_is_the_mean_over_all_pairs(batch):
    similarity, positive, _ = batch
    wanted = sum((similarity[i, j] - float(positive[i, j])) ** 2 for i in range(3) for j in range(5)) / 15
    assert SimilarityMSE()(*batch).item() == pytest.approx(wanted.item())


def test_a_temperature_that_cannot_be_is_an_error():
    with pytest.raises(ConfigError, match=r"loss\.temperature=0"):
        InfoNCE(0.0)
