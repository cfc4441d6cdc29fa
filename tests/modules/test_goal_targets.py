import math

import pytest
import torch

from ntp.buffers.replay import ReplayProof
from ntp.modules.goal_targets import goal_targets
from ntp.modules.rollout import Origin, Rollout
from ntp.rewards.kernel import KernelReward
from ntp.types import Status

REWARD = KernelReward(alpha_success=0.5, log_reward_fail=-9.0)


def rollout(states, tactics, log_ref, status=Status.PROVED, unread=None) -> Rollout:
    tokens = tuple((1,) for _ in tactics)
    unread = unread or ((),) * len(states)
    return Rollout(states, tactics, tokens, status, Origin.ON_POLICY, unread, log_ref)


def targets(*attempts, known=(), max_height=5):
    return goal_targets(attempts, known, REWARD, step=0, max_height=max_height)


SPLIT = rollout(("g", "a", "a"), ("split", "x", "y"), (-1.0, -2.0, -4.0), unread=((), ("a",), ()))
AUTO = rollout(("g",), ("auto",), (-6.0,))


def test_by_hand():
    """x and y prove a, so split begins four proofs of g, and auto one."""
    z_a = math.exp(-1.0) + math.exp(-2.0)
    z_g = math.exp(-0.5) * z_a**2 + math.exp(-3.0)
    found = targets(SPLIT, AUTO)
    expected = [
        [math.exp(-0.5) * z_a**2 / z_g, math.exp(-1.0) / z_a, math.exp(-2.0) / z_a],
        [math.exp(-3.0) / z_g, 0.0, 0.0],
    ]
    assert found.log_target_NT.exp().numpy() == pytest.approx(torch.tensor(expected).numpy())
    assert found.proved_NT.tolist() == [[True] * 3, [True, False, False]]
    assert found.goal_NT[0].tolist() == [0, 1, 1] and found.goal_NT[1, 0] == 0


def test_known_proofs_of_other_theorems_count():
    known = ReplayProof(("a",), ("z",), ((5,),), (-2.0,), ((),))
    with_known, without = targets(SPLIT, known=[known]), targets(SPLIT)
    assert with_known.log_target_NT[0, 1] < without.log_target_NT[0, 1]


def test_failures_have_a_target_where_a_proof_is_known_and_other_steps_have_none():
    failed = rollout(("g", "a"), ("odd", "boom"), (-1.0, -3.0), Status.STUCK)
    nowhere = rollout(("h",), ("boom",), (-3.0,), Status.TIMEOUT)
    cut = rollout(("g",), ("odd",), (-1.0,), Status.TRUNCATED)
    found = targets(SPLIT, failed, nowhere, cut)
    z_a = math.log(math.exp(-1.0) + math.exp(-2.0))
    assert found.log_target_NT[1, 1] == pytest.approx(-3.0 - 9.0 - z_a)
    assert not found.proved_NT[1].any()
    assert torch.isinf(found.log_target_NT[1, 0]) and torch.isinf(found.log_target_NT[2:]).all()


def test_a_tactic_that_begins_a_proof_is_no_failure_elsewhere():
    timeout = rollout(("a",), ("x",), (-2.0,), Status.TIMEOUT)
    found = targets(SPLIT, timeout)
    assert found.proved_NT[1, 0] and found.log_target_NT[1, 0] == found.log_target_NT[0, 1]
    assert found.num_copies_NT[0, 1] == found.num_copies_NT[1, 0] == 2


def test_proofs_that_are_longer_than_trajectories_have_targets():
    states = tuple(f"g{i}" for i in range(9))
    found = targets(rollout(states, ("t",) * 9, (-1.0,) * 9), max_height=5)
    assert torch.equal(found.log_target_NT, torch.zeros(1, 9))


def test_only_copies_with_a_target_count():
    """What was accepted once and failed once is one failure."""
    accepted = rollout(("a", "b"), ("sym", "boom"), (-1.0, -1.0), Status.STUCK)
    failed = rollout(("a",), ("sym",), (-1.0,), Status.STUCK)
    assert targets(SPLIT, accepted, failed).num_copies_NT[2, 0] == 1
