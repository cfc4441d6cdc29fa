import math

import pytest
import torch

from ntp.errors import ConfigError
from ntp.rewards.base import Linear, RewardComponents, failure_mass
from ntp.rewards.kernel import KernelReward
from ntp.types import Status

FAILURES = [Status.STUCK, Status.TRUNCATED, Status.TIMEOUT]


def test_proof_is_the_flattened_prior():
    reward = KernelReward(alpha_success=0.5)
    assert reward.log_reward(RewardComponents(-12.0, Status.PROVED), step=0) == -6.0


@pytest.mark.parametrize("status", FAILURES)
def test_failure_is_the_punished_prior(status: Status):
    reward = KernelReward(alpha_fail=1.0, log_reward_fail=-8.0)
    assert reward.log_reward(RewardComponents(-12.0, status), step=0) == -20.0


def test_temperature_divides_the_verdict_and_not_the_prior():
    reward = KernelReward(log_reward_fail=-8.0, temperature=Linear(start=2.0, end=0.5, num_steps=100))
    stuck = RewardComponents(-1.0, Status.STUCK)
    assert reward.log_reward(stuck, step=0) == -5.0
    assert reward.log_reward(stuck, step=100) == -17.0
    assert reward.log_reward(RewardComponents(-1.0, Status.PROVED), step=100) == -0.5


def test_crash_is_no_evidence():
    with pytest.raises(ValueError, match="crashed"):
        KernelReward().log_reward(RewardComponents(-1.0, Status.CRASHED), step=0)


@pytest.mark.parametrize("kwargs", [{"log_reward_fail": 0.0}, {"temperature": 0.0}])
def test_rewards_that_cannot_work_are_refused(kwargs):
    with pytest.raises(ConfigError):
        KernelReward(**kwargs)


def test_failure_mass_converges_to_the_exact_share():
    log_reward_A = torch.tensor([0.0, -1.0, -3.0, -4.0])
    proved_A = torch.tensor([True, True, False, False])
    policy_A = torch.tensor([0.1, 0.2, 0.3, 0.4])
    exact = (math.exp(-3) + math.exp(-4)) / (1 + math.exp(-1) + math.exp(-3) + math.exp(-4))
    drawn_N = torch.multinomial(
        policy_A, 200_000, replacement=True, generator=torch.Generator().manual_seed(0)
    )
    estimate = failure_mass(log_reward_A[drawn_N], policy_A.log()[drawn_N], proved_A[drawn_N])
    assert estimate == pytest.approx(exact, rel=0.02)


def test_failure_mass_at_the_extremes():
    log_N = torch.tensor([-1.0, -700.0])
    assert failure_mass(log_N, log_N, torch.tensor([True, True])) == 0.0
    assert failure_mass(log_N, log_N, torch.tensor([False, False])) == pytest.approx(1.0)
