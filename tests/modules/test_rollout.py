from dataclasses import replace
from functools import partial

import pytest
import torch
from torch.testing import assert_close

from ntp.buffers.replay import ReplayBuffer, ReplayProof
from ntp.envs.pool import EnvPool
from ntp.envs.toy import toy_theorem
from ntp.errors import ConfigError, InitError
from ntp.modules.rollout import (
    Group,
    Origin,
    Rollout,
    RolloutConfig,
    sample_groups,
    score_paths,
    score_steps,
    step_mask,
    with_prior,
    with_replay,
)
from ntp.types import Status

BEHAVIOUR = RolloutConfig(
    num_on_policy=3, num_tempered=5, temperature_min=1.5, temperature_max=3.0, max_depth=3
)


def attempt(token_ids, status=Status.PROVED, origin=Origin.ON_POLICY, states=None) -> Rollout:
    states = states or tuple(f"⊢ {i}" for i in range(len(token_ids)))
    return Rollout(states, tuple(map(str, token_ids)), token_ids, status, origin, ((),) * len(states))


@pytest.fixture(scope="module")
def policy(oracle):
    return oracle.make_policy(seed=0)


def test_draws_are_a_function_of_the_seed():
    draws = BEHAVIOUR.draws(7, "thm")
    assert draws == BEHAVIOUR.draws(7, "thm")
    assert len({d.seed for d in (*draws, *BEHAVIOUR.draws(7, "other"), *BEHAVIOUR.draws(8, "thm"))}) == 24
    assert [d.temperature for d in draws[:3]] == [1.0] * 3
    assert all(1.5 <= d.temperature <= 3.0 for d in draws[3:])
    assert len({d.temperature for d in draws[3:]}) == 5


@pytest.mark.parametrize(
    "kwargs",
    [
        {"num_on_policy": 0, "num_tempered": 0},
        {"num_replay": -1},
        {"temperature_min": 0.0},
        {"temperature_min": 2.0, "temperature_max": 1.0},
        {"max_depth": 0},
    ],
)
def test_impossible_compositions_are_refused(kwargs):
    with pytest.raises(ConfigError, match="module"):
        RolloutConfig(**kwargs)


def test_groups_come_in_order_and_unknown_theorems_are_values(oracle, policy):
    theorems = [toy_theorem("b"), toy_theorem("nowhere"), toy_theorem("a")]
    with EnvPool(oracle.make_env, num_workers=2) as pool:
        groups = sample_groups(theorems, policy, pool, BEHAVIOUR, seed=0)
    assert isinstance(groups[1], InitError)
    for group, name in ((groups[0], "b"), (groups[2], "a")):
        assert isinstance(group, Group)
        assert group.theorem.id == name
        assert group.root == f"⊢ {name}"
        assert [a.origin for a in group.attempts] == [Origin.ON_POLICY] * 3 + [Origin.TEMPERED] * 5
        assert all(a.states[0] == group.root for a in group.attempts)


def test_attempts_do_not_depend_on_company_or_number_of_workers(oracle, policy):
    theorems = [toy_theorem(name) for name in ("a", "b", "c")]
    with EnvPool(oracle.make_env, num_workers=3) as pool:
        together = sample_groups(theorems, policy, pool, BEHAVIOUR, seed=3)
    with EnvPool(oracle.make_env, num_workers=1) as pool:
        alone = [sample_groups([theorem], policy, pool, BEHAVIOUR, seed=3)[0] for theorem in theorems]
    assert together == alone


def test_scores_of_paths_agree_with_what_the_sampler_reported(oracle, policy):
    from ntp.search.driver import search_theorems
    from ntp.search.sampling import SamplingSearch

    with EnvPool(oracle.make_env, num_workers=3) as pool:
        searches = search_theorems(
            oracle.THEOREMS,
            lambda theorem, root: SamplingSearch(theorem, root, BEHAVIOUR.draws(0, theorem.id), 3),
            policy,
            pool,
        )
    trajectories = [t for search in searches for t in search.trajectories]
    paths = [
        attempt(
            tuple(s.tactic.token_ids for s in t.transitions),
            states=tuple(s.state.text for s in t.transitions),
        )
        for t in trajectories
    ]
    sampled_N = torch.tensor([t.log_prob for t in trajectories])
    assert_close(score_paths(policy, paths).detach(), sampled_N, atol=1e-4, rtol=0)


def test_score_of_a_path_is_the_sum_over_its_tactics():
    class Lengths:
        def score(self, requests):
            return torch.tensor([-float(len(t)) for r in requests for t in r.tactics])

    paths = [attempt(((1, 2), (3,))), attempt(((1, 2),)), attempt(((), (4, 5, 6)))]
    assert_close(score_paths(Lengths(), paths), torch.tensor([-3.0, -2.0, -3.0]))
    assert_close(score_paths(Lengths(), []), torch.zeros(0))
    expected = torch.tensor([[-2.0, -1.0, 0.0], [-2.0, 0.0, 0.0], [0.0, -3.0, 0.0]])
    assert_close(score_steps(Lengths(), paths, num_steps=3), expected)
    assert step_mask(paths).tolist() == [[True, True], [True, False], [True, True]]


def test_the_prior_of_each_tactic_is_added_once():
    class Lengths:
        def score(self, requests):
            return torch.tensor([-float(len(t)) for r in requests for t in r.tactics])

    known = replace(attempt(((7,),)), log_ref_T=(-9.0,))
    groups = [Group(toy_theorem("T"), "", (attempt(((1, 2), (3,))), known, attempt(((4,),))))]
    (group,) = with_prior(groups, partial(score_steps, Lengths()))
    assert [a.log_ref_T for a in group.attempts] == [(-2.0, -1.0), (-9.0,), (-1.0,)]
    assert [a.log_ref for a in group.attempts] == [-3.0, -9.0, -1.0]
    with pytest.raises(ValueError, match="prior"):
        _ = attempt(((1,),)).log_ref


def test_replay_adds_only_proofs_that_the_group_lacks():
    buffer = ReplayBuffer(32)
    for token in range(4):
        proof = attempt(((token,),))
        path = (proof.states, proof.tactics, proof.token_ids)
        buffer.add("T", ReplayProof(*path, log_ref_T=(-float(token),), unread=((),)))
    group = Group(toy_theorem("T"), "⊢ 0", (attempt(((0,),)), attempt(((9,),), Status.STUCK)))
    enriched = with_replay(group, buffer, num_replay=2, seed=5)
    assert enriched == with_replay(group, buffer, num_replay=2, seed=5)
    replayed = enriched.attempts[2:]
    assert enriched.attempts[:2] == group.attempts
    assert len(replayed) == 2
    for each in replayed:
        assert each.origin is Origin.REPLAY
        assert each.status is Status.PROVED
        assert each.token_ids != ((0,),)
        assert each.log_ref_T == (each.log_ref,) and each.unread == ((),)
        assert each.log_ref == -float(each.token_ids[0][0])
    assert len(with_replay(group, buffer, num_replay=9, seed=5).attempts) == 2 + 3


def test_restarted_trajectories_are_told_apart(oracle, policy):
    behaviour = replace(BEHAVIOUR, num_restarts=4)
    with EnvPool(oracle.make_env, num_workers=3) as pool:
        groups = sample_groups(oracle.THEOREMS, policy, pool, behaviour, seed=1)
    origins = [[attempt.origin for attempt in group.attempts] for group in groups]
    expected = [Origin.ON_POLICY] * 3 + [Origin.TEMPERED] * 5
    assert all(found[:8] == expected and set(found[8:]) <= {Origin.RESTARTED} for found in origins)
    assert any(len(found) > 8 for found in origins)
