"""The exact oracle, in short: `experiments/bench/oracle.py` runs the whole of it."""

from collections import Counter

import pytest
import torch

from ntp.envs.pool import EnvPool
from ntp.modules.rollout import RolloutConfig, sample_groups, score_paths


def test_probabilities_of_all_trajectories_sum_to_one(oracle):
    policy = oracle.make_policy(seed=3)
    for theorem in oracle.THEOREMS:
        total = score_paths(policy, oracle.enumerate_exactly(policy, theorem).paths).double().exp().sum()
        assert total.item() == pytest.approx(1, abs=1e-5)


def test_sampled_frequencies_are_the_scored_probabilities(oracle):
    """Pearson's chi-squared over every trajectory of a theorem, under an untrained policy."""
    policy, theorem, num = oracle.make_policy(seed=3), oracle.THEOREMS[0], 4000
    paths = oracle.enumerate_exactly(policy, theorem).paths
    expected_N = num * score_paths(policy, paths).detach().double().exp()
    with EnvPool(oracle.make_env, num_workers=1) as pool:
        (group,) = sample_groups(
            [theorem], policy, pool, RolloutConfig(num, 0, 0, max_depth=oracle.MAX_DEPTH), seed=0
        )
    counts = Counter((attempt.states, attempt.token_ids) for attempt in group.attempts)
    assert set(counts) <= {(path.states, path.token_ids) for path in paths}
    count_N = torch.tensor([float(counts[path.states, path.token_ids]) for path in paths])
    common_N = expected_N >= 5
    cells_N = torch.cat([expected_N[common_N], expected_N[~common_N].sum()[None]])
    seen_N = torch.cat([count_N[common_N], count_N[~common_N].sum()[None]])
    chi_squared = float(((seen_N - cells_N).square() / cells_N).sum())
    freedom = len(cells_N) - 1
    assert chi_squared < freedom + 4 * (2 * freedom) ** 0.5


@pytest.mark.slow
@pytest.mark.parametrize("regime", ["tb", "goal_balance"])
def test_training_moves_every_parameter_towards_the_target(regime: str, oracle):
    untrained = oracle.make_module(regime, oracle.make_policy(seed=0))
    before = {name: p.detach().clone() for name, p in untrained.named_parameters()}
    module = oracle.train(regime, num_steps=80)
    assert {id(p) for group in module.optimizers().param_groups for p in group["params"]} == {
        id(p) for p in module.parameters()
    }
    assert [name for name, p in module.named_parameters() if torch.equal(p, before[name])] == []
    assert ("log_z.head.weight" in before) == (regime == "tb")
    assert oracle.measure(module)["tv"] < 0.25 < 0.7 < oracle.measure(untrained)["tv"]
