import pytest

from ntp.errors import ConfigError
from ntp.policy.prompt import SamplingParams


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_temperatures_that_cannot_be_sampled_at(temperature):
    with pytest.raises(ConfigError, match="temperature"):
        SamplingParams(0, temperature)
