"""What is asked of a policy."""

from __future__ import annotations

from dataclasses import dataclass

from ntp.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Draw:
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
    """Draw tactics in one state, as the policy reads it."""

    state: str
    draws: tuple[Draw, ...]


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """Score tactics in one state. Each tactic is its token ids, without the stop token."""

    state: str
    tactics: tuple[tuple[int, ...], ...]
