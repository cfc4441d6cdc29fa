"""What is asked of a policy."""

from __future__ import annotations

from dataclasses import dataclass

from ntp.errors import ConfigError
from ntp.types import Theorem


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """One sample to be drawn; the result depends on this and the state, not on what else is drawn.

    Attributes:
        seed: Determines all random numbers of the draw; non-negative.
        temperature: Divides the logits of the distribution sampled from. `Tactic.log_prob` is untempered.

    Raises:
        ConfigError: The temperature is not positive.
    """

    seed: int
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ConfigError(f"temperature={self.temperature} cannot be sampled at: give a number above 0")


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """SamplingParams tactics in one state.

    Attributes:
        state: As the policy reads it.
        draws: One tactic for each.
        theorem: Whose proof the state belongs to, for proposers that retrieve what it may use.
    """

    state: str
    draws: tuple[SamplingParams, ...]
    theorem: Theorem | None = None


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """Score tactics in one state. Each tactic is its token ids, without the stop token."""

    state: str
    tactics: tuple[tuple[int, ...], ...]
