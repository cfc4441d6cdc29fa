"""Schedules of the reward's temperature: pure functions of the training step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ntp.errors import ConfigError

Schedule = Callable[[int], float]


def at_step(temperature: float | Schedule, step: int) -> float:
    """The temperature at a step."""
    return temperature(step) if callable(temperature) else temperature


def require_temperature(temperature: float | Schedule) -> None:
    """Raise `ConfigError` for a number that is not above 0; schedules check themselves."""
    if not callable(temperature):
        _check(temperature)


@dataclass(frozen=True, slots=True)
class Constant:
    """The same temperature at every step.

    Raises:
        ConfigError: The temperature is not above 0.
    """

    value: float = 1.0

    def __post_init__(self) -> None:
        _check(self.value)

    def __call__(self, step: int) -> float:  # noqa: ARG002 - the interface of a schedule
        """The temperature at `step`."""
        return self.value


@dataclass(frozen=True, slots=True)
class Linear:
    """From `start` to `end` over `num_steps` steps, then `end`.

    Raises:
        ConfigError: A temperature is not above 0, or there is no step to anneal over.
    """

    start: float
    end: float
    num_steps: int

    def __post_init__(self) -> None:
        _check(self.start)
        _check(self.end)
        if self.num_steps < 1:
            raise ConfigError(f"reward temperature anneals over num_steps={self.num_steps}: give at least 1")

    def __call__(self, step: int) -> float:
        """The temperature at `step`."""
        done = min(1.0, step / self.num_steps)
        return self.start + done * (self.end - self.start)


def _check(temperature: float) -> None:
    if temperature <= 0:
        raise ConfigError(f"reward temperature {temperature} cannot divide a reward: give a number above 0")
