import itertools
import math
import statistics

import pytest
import torch
from torch.testing import assert_close

from ntp.losses.trajectory_balance import (
    group_deviation,
    huber,
    pairwise_loss,
    residual,
    square,
    trajectory_balance_loss,
    vargrad_loss,
)

GROUPS = [7, 2, 7, 7, 2, 9, 2, 7]


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    log_pf_N, log_reward_N = -10 * torch.rand(2, len(GROUPS), generator=generator, dtype=torch.float64)
    return log_pf_N.requires_grad_(), log_reward_N, torch.tensor(GROUPS)


def groups_of_f(log_pf_N: torch.Tensor, log_reward_N: torch.Tensor) -> dict[int, list[float]]:
    groups: dict[int, list[float]] = {}
    for group, log_pf, log_reward in zip(GROUPS, log_pf_N.tolist(), log_reward_N.tolist(), strict=True):
        groups.setdefault(group, []).append(log_pf - log_reward)
    return groups


def test_tb_is_the_mean_squared_log_ratio(batch):
    log_pf_N, log_reward_N, _ = batch
    log_z_N = torch.linspace(-1, 1, len(GROUPS), dtype=torch.float64)
    # Malkin et al. 2022, eq. 14, as printed: (log (Z P_F / R P_B))^2 with P_B = 1.
    expected = statistics.fmean(
        math.log(math.exp(log_z) * math.exp(log_pf) / math.exp(log_reward)) ** 2
        for log_z, log_pf, log_reward in zip(
            log_z_N.tolist(), log_pf_N.tolist(), log_reward_N.tolist(), strict=True
        )
    )
    assert trajectory_balance_loss(log_pf_N, log_reward_N, log_z_N).item() == pytest.approx(expected)


def test_tb_gradients_reach_policy_and_log_z(batch):
    log_pf_N, log_reward_N, _ = batch
    log_z_N = torch.full_like(log_reward_N, 0.5).requires_grad_()
    trajectory_balance_loss(log_pf_N, log_reward_N, log_z_N).backward()
    expected_N = 2 * residual(log_pf_N, log_reward_N, log_z_N).detach() / len(GROUPS)
    assert_close(log_pf_N.grad, expected_N)
    assert_close(log_z_N.grad, expected_N)


@pytest.mark.parametrize("penalty", [square, huber])
def test_losses_vanish_exactly_at_balance(penalty, batch):
    _, log_reward_N, group_N = batch
    log_z_N = group_N.double()
    log_pf_N = (log_reward_N - log_z_N).requires_grad_()
    for loss in (
        trajectory_balance_loss(log_pf_N, log_reward_N, log_z_N, penalty),
        vargrad_loss(log_pf_N, log_reward_N, group_N, penalty),
    ):
        (gradient_N,) = torch.autograd.grad(loss, log_pf_N)
        assert_close(loss.item(), 0.0, atol=1e-12, rtol=0)
        assert_close(gradient_N, torch.zeros_like(gradient_N), atol=1e-7, rtol=0)


def test_vargrad_is_the_mean_variance_of_groups(batch):
    log_pf_N, log_reward_N, group_N = batch
    variances = [statistics.variance(f) for f in groups_of_f(log_pf_N, log_reward_N).values() if len(f) > 1]
    assert vargrad_loss(log_pf_N, log_reward_N, group_N).item() == pytest.approx(statistics.fmean(variances))


def test_vargrad_is_half_the_mean_squared_difference_of_pairs(batch):
    log_pf_N, log_reward_N, group_N = batch
    losses = []
    for f in groups_of_f(log_pf_N, log_reward_N).values():
        pairs = list(itertools.combinations(f, 2))
        losses += [sum((a - b) ** 2 for a, b in pairs) / (2 * len(pairs))] if pairs else []
    assert vargrad_loss(log_pf_N, log_reward_N, group_N).item() == pytest.approx(statistics.fmean(losses))


def test_vargrad_gradient_is_that_of_tb_at_the_estimated_log_z():
    generator = torch.Generator().manual_seed(1)
    log_pf_N = torch.randn(6, generator=generator, dtype=torch.float64).requires_grad_()
    log_reward_N = torch.randn(6, generator=generator, dtype=torch.float64)
    log_z = (log_reward_N - log_pf_N).mean().detach()
    (tb_N,) = torch.autograd.grad(trajectory_balance_loss(log_pf_N, log_reward_N, log_z.expand(6)), log_pf_N)
    (vargrad_N,) = torch.autograd.grad(
        vargrad_loss(log_pf_N, log_reward_N, torch.zeros(6, dtype=torch.long)), log_pf_N
    )
    assert_close(vargrad_N * 5 / 6, tb_N)


@pytest.mark.parametrize("penalty", [square, huber])
def test_vargrad_ignores_a_shift_of_a_whole_group(penalty, batch):
    log_pf_N, log_reward_N, group_N = batch
    loss = vargrad_loss(log_pf_N, log_reward_N, group_N, penalty)
    (gradient_N,) = torch.autograd.grad(loss, log_pf_N)
    assert vargrad_loss(log_pf_N + 3.0 * group_N, log_reward_N, group_N, penalty).item() == pytest.approx(
        loss.item()
    )
    for group in set(GROUPS):
        assert gradient_N[group_N == group].sum().item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("penalty", [square, huber])
def test_vargrad_gradient_matches_finite_differences(penalty, batch):
    log_pf_N, log_reward_N, group_N = batch
    assert torch.autograd.gradcheck(lambda x: vargrad_loss(x, log_reward_N, group_N, penalty), log_pf_N)


@pytest.mark.parametrize("group", [[], [3], [3, 1, 2]])
def test_groups_without_a_pair_give_zero_and_no_nan(group: list[int]):
    log_pf_N = torch.randn(len(group)).requires_grad_()
    loss = vargrad_loss(log_pf_N, torch.randn(len(group)), torch.tensor(group, dtype=torch.long))
    loss.backward()
    assert loss.item() == 0
    assert_close(log_pf_N.grad, torch.zeros(len(group)))


def test_tb_of_nothing_is_zero():
    empty = torch.zeros(0, requires_grad=True)
    assert trajectory_balance_loss(empty, torch.zeros(0), torch.zeros(0)).item() == 0


def test_group_deviation_names_groups_in_order():
    deviation_N, index_N, size_G = group_deviation(torch.tensor([1.0, 5.0, 3.0]), torch.tensor([4, 2, 4]))
    assert_close(deviation_N, torch.tensor([-1.0, 0.0, 1.0]))
    assert index_N.tolist() == [1, 0, 1]
    assert size_G.tolist() == [1, 2]


def test_pairwise_loss_is_vargrad_where_nothing_is_in_doubt(batch):
    log_pf_N, log_reward_N, group_N = batch
    no_doubt_N = torch.zeros_like(log_reward_N)
    assert_close(
        pairwise_loss(log_pf_N, log_reward_N, no_doubt_N, group_N, square),
        vargrad_loss(log_pf_N, log_reward_N, group_N),
    )


@pytest.mark.parametrize("penalty", [square, huber])
def test_pairwise_loss_sums_the_pairs_that_can_be_told_apart(penalty, batch):
    log_pf_N, log_reward_N, group_N = batch
    std_N = torch.linspace(0, 4, len(GROUPS), dtype=torch.float64)
    per_group: dict[int, list[float]] = {}
    num_pruned = 0
    for i, j in itertools.combinations(range(len(GROUPS)), 2):
        if GROUPS[i] != GROUPS[j]:
            continue
        difference = (log_pf_N[i] - log_reward_N[i]) - (log_pf_N[j] - log_reward_N[j])
        doubt = math.sqrt(std_N[i].item() ** 2 + std_N[j].item() ** 2)
        distinguishable_pairs = abs(log_reward_N[i].item() - log_reward_N[j].item()) >= doubt
        num_pruned += not distinguishable_pairs
        charge = penalty(difference).item() / 2 if distinguishable_pairs else 0.0
        per_group.setdefault(GROUPS[i], []).append(charge)
    assert 0 < num_pruned < sum(map(len, per_group.values()))
    expected = statistics.fmean(statistics.fmean(charges) for charges in per_group.values())
    got = pairwise_loss(log_pf_N, log_reward_N, std_N, group_N, penalty)
    assert got.item() == pytest.approx(expected)


def test_equal_rewards_without_doubt_still_pull_on_each_other():
    log_pf_N = torch.tensor([-1.0, -3.0], requires_grad=True)
    zeros_N, group_N = torch.zeros(2), torch.zeros(2, dtype=torch.long)
    pairwise_loss(log_pf_N, zeros_N, zeros_N, group_N, square).backward()
    assert_close(log_pf_N.grad, torch.tensor([2.0, -2.0]))
