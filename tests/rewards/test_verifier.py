import functools
import math

import pytest

from ntp.errors import ConfigError
from ntp.rewards.aggregation import Mean, WorstCase
from ntp.rewards.base import Linear, RewardComponents, failure_mass_bound
from ntp.rewards.verifier import VerifierOnlyReward, VerifierReward
from ntp.types import Status


def log_sigmoid(x):
    return -math.log1p(math.exp(-x))


def partial(*log_odds, log_ref=-3.0):
    return RewardComponents(log_ref, Status.TRUNCATED, log_odds)


def test_partial_proof_is_worth_the_gap_and_the_belief():
    reward = VerifierReward(Mean(), gap=9.0, temperature=0.5)
    expected = -3.0 + (log_sigmoid(1.0) - 9.0) / 0.5
    assert reward.log_reward(partial(0.0, 2.0), step=0) == pytest.approx(expected)
    worst = VerifierReward(WorstCase(), gap=9.0)
    assert worst.log_reward(partial(0.0, 2.0), step=0) == pytest.approx(-3.0 + log_sigmoid(0.0) - 9.0)


def test_the_last_valid_tactic_of_a_stuck_walk_is_scored():
    reward = VerifierReward(gap=9.0, score_range=4.0)
    assert reward.scored_step(Status.TRUNCATED, 3) == 2
    assert reward.scored_step(Status.STUCK, 3) == 1
    assert reward.scored_step(Status.STUCK, 1) is None, "no tactic was valid"
    assert [reward.scored_step(s, 3) for s in (Status.PROVED, Status.TIMEOUT, Status.EXCEEDED)] == [None] * 3
    assert VerifierReward(score_stuck=False).scored_step(Status.STUCK, 3) is None
    stuck = RewardComponents(-3.0, Status.STUCK, (0.0, 2.0))
    assert reward.log_reward(stuck, 0) == reward.log_reward(partial(0.0, 2.0), 0)
    assert reward.log_reward_std(stuck, 0) == reward.log_reward_std(partial(0.0, 2.0), 0) > 0
    assert reward.log_reward(RewardComponents(-3.0, Status.STUCK), 0) == -3.0 - 9.0 - 4.0


def test_kernel_overrides_any_belief():
    reward = VerifierReward(gap=9.0, score_range=4.0)
    proof = reward.log_reward(RewardComponents(-3.0, Status.PROVED, (-50.0,)), 0)
    sure, hopeless = reward.log_reward(partial(50.0), 0), reward.log_reward(partial(-50.0), 0)
    stuck = [reward.log_reward(RewardComponents(-3.0, s), 0) for s in (Status.STUCK, Status.TIMEOUT)]
    assert proof == -1.5
    assert sure == pytest.approx(-12.0)
    assert hopeless == pytest.approx(-16.0)
    assert stuck == [hopeless, hopeless]


def test_doubt_is_the_deviation_of_the_clipped_belief():
    reward = VerifierReward(gap=18.0, score_range=4.0, temperature=2.0)
    beliefs = [log_sigmoid(0.0), -4.0]
    assert reward.log_reward_std(partial(0.0, -9.0), 0) == pytest.approx((beliefs[0] - beliefs[1]) / 2 / 2.0)
    assert reward.log_reward_std(RewardComponents(-3.0, Status.STUCK), 0) == 0.0
    assert reward.log_reward_std(RewardComponents(-3.0, Status.PROVED), 0) == 0.0


@pytest.mark.parametrize("status", [Status.PROVED, Status.STUCK, Status.TIMEOUT, Status.TRUNCATED])
def test_verifier_alone_does_not_ask_the_kernel(status):
    reward = VerifierOnlyReward(WorstCase(), temperature=0.5)
    components = RewardComponents(-3.0, status, (1.0, 5.0))
    assert reward.log_reward(components, 0) == pytest.approx(-3.0 + log_sigmoid(1.0) / 0.5)


@pytest.mark.parametrize("reward", [VerifierReward(), VerifierOnlyReward()])
def test_what_carries_no_evidence_has_no_reward(reward):
    with pytest.raises(ValueError, match="crashed"):
        reward.log_reward(RewardComponents(-1.0, Status.CRASHED), 0)
    with pytest.raises(ValueError, match="not shown"):
        reward.log_reward(RewardComponents(-1.0, Status.TRUNCATED), 0)


def test_failures_that_could_own_the_target_are_refused_with_the_numbers():
    frequent = functools.partial(VerifierReward, success_floor=0.01)
    with pytest.raises(
        ConfigError, match=r"gap=1 .* failures 78% .* probability 0\.01; at most 5% .* 5\.2 nats"
    ):
        frequent(gap=1.0)
    frequent(gap=5.3)
    with pytest.raises(ConfigError, match="temperature 4"):
        VerifierReward(gap=9.0, temperature=Linear(start=4.0, end=0.5, num_steps=10))
    VerifierReward(gap=1.0, max_failure_mass=1.0)


def test_bound_is_the_mass_of_the_worst_case():
    # One proof of prior probability .01; everything else fails and has the best score: exact, by addition.
    success, gap, alpha = 0.01, 3.0, 0.5
    reward = VerifierReward(gap=gap, alpha_success=alpha, max_failure_mass=0.9, success_floor=success)
    proof = math.exp(reward.log_reward(RewardComponents(math.log(success), Status.PROVED), 0))
    others = [0.5, 0.3, 0.19]
    failures = sum(math.exp(reward.log_reward(partial(60.0, log_ref=math.log(p)), 0)) for p in others)
    bound = failure_mass_bound(reward.log_failure_bound(0), alpha * math.log(success), success)
    assert failures / (failures + proof) == pytest.approx(bound)


@pytest.mark.parametrize(
    "options",
    [
        {"score_range": 0.0},
        {"temperature": -1.0},
        {"success_floor": 0.0},
        {"max_failure_mass": 0.0},
        {"max_failure_mass": 1.5},
        {"success_floor": 1.0},
        {"max_failure_mass": math.nan},
        {"gap": math.nan},
        {"gap": -2000.0},
    ],
)
def test_numbers_out_of_range_are_refused(options):
    with pytest.raises(ConfigError, match="reward"):
        VerifierReward(**options)
