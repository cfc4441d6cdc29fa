import pytest

from ntp.errors import ConfigError
from ntp.rewards.base import Constant, Linear


def test_linear_anneals_and_stays():
    schedule = Linear(start=2.0, end=0.5, num_steps=10)
    assert [schedule(step) for step in (0, 5, 10, 99)] == [2.0, 1.25, 0.5, 0.5]


def test_constant_is_constant():
    assert {Constant(0.7)(step) for step in range(5)} == {0.7}


@pytest.mark.parametrize("build", [lambda: Constant(0), lambda: Linear(1, -1, 5), lambda: Linear(1, 1, 0)])
def test_impossible_schedules_are_refused(build):
    with pytest.raises(ConfigError):
        build()
