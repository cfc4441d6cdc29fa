import math

import pytest

from ntp.errors import ConfigError
from ntp.rewards.base import Linear, RewardComponents, failure_mass_bound
from ntp.rewards.kernel import KernelReward
from ntp.types import Status

FAILURES = [Status.STUCK, Status.TRUNCATED, Status.TIMEOUT]


def test_proof_is_the_flattened_prior():
    reward = KernelReward(alpha_success=0.5)
    assert reward.log_reward(RewardComponents(-12.0, Status.PROVED), step=0) == -6.0


@pytest.mark.parametrize("status", FAILURES)
def test_failure_is_the_punished_prior(status: Status):
    reward = KernelReward(alpha_fail=1.0, log_reward_fail=-8.0, success_floor=1e-4)
    assert reward.log_reward(RewardComponents(-12.0, status), step=0) == -20.0


def test_temperature_divides_the_verdict_and_not_the_prior():
    reward = KernelReward(
        log_reward_fail=-8.0, temperature=Linear(start=2.0, end=0.5, num_steps=100), max_failure_mass=1.0
    )
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


def test_failures_that_could_own_the_target_are_refused():
    # exp(-8) (1 - 1e-6) against sqrt(1e-6): a quarter of the target.
    with pytest.raises(ConfigError, match=r"log_reward_fail=-8 .* failures 25% .* probability 1e-06"):
        KernelReward(log_reward_fail=-8.0, success_floor=1e-6)
    with pytest.raises(ConfigError, match=r"log_reward_fail=-9 at temperature 10 "):
        KernelReward(temperature=10.0)
    with pytest.raises(ConfigError, match=r"alpha_fail=0 .* without a bound"):
        KernelReward(alpha_fail=0.0)
    unchecked = KernelReward(alpha_fail=0.0, temperature=10.0, max_failure_mass=1.0)
    assert unchecked.log_failure_bound(0) == math.inf


def test_bound_holds_for_any_of_the_proofs():
    prior = {"a": 0.2, "b": 0.1}
    reward = KernelReward(log_reward_fail=-3.0, max_failure_mass=1.0)
    log_reward = {
        name: reward.log_reward(RewardComponents(math.log(p), Status.PROVED), 0) for name, p in prior.items()
    }
    failures = sum(
        math.exp(reward.log_reward(RewardComponents(math.log(p), Status.STUCK), 0)) for p in (0.4, 0.3)
    )
    exact = failures / (failures + sum(map(math.exp, log_reward.values())))
    bound = reward.log_failure_bound(0)
    for names in ("a", "b", "ab"):
        log_proofs = math.log(sum(math.exp(log_reward[name]) for name in names))
        assert failure_mass_bound(bound, log_proofs, sum(prior[name] for name in names)) >= exact - 1e-12
    assert failure_mass_bound(bound, log_proofs, 0.3) == pytest.approx(exact)


def test_bound_at_the_extremes():
    assert failure_mass_bound(-1.0, 0.0, 1.0) == 0.0
    assert failure_mass_bound(math.inf, 0.0, 0.5) == 1.0
    assert failure_mass_bound(0.0, -1e6, 0.0) == 1.0
