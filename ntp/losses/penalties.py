"""How a residual is charged: evenly on both sides of 0. Chosen apart from the balance condition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor

from ntp.errors import ConfigError


class Penalty(Protocol):
    """Charges residuals elementwise."""

    def __call__(self, residual_N: Tensor, /) -> Tensor:
        """The charge of each residual, same shape."""
        ...


def square(residual_N: Tensor) -> Tensor:
    """r²."""
    return residual_N.square()


def huber(residual_N: Tensor, delta: float = 1.0) -> Tensor:
    """r² up to |r| = delta, delta (2 |r| - delta) beyond: twice the textbook Huber, so it extends `square`.

    Args:
        residual_N: Residuals in nats.
        delta: Where the charge turns linear, in nats; bounds the gradient per residual by 2 delta.
    """
    magnitude_N = residual_N.abs()
    quadratic_N = magnitude_N.clamp(max=delta)
    return quadratic_N * (2 * magnitude_N - quadratic_N)


PENALTIES: Mapping[str, Penalty] = {"square": square, "huber": huber}


def penalty_named(name: str) -> Penalty:
    """The penalty that a config names.

    Raises:
        ConfigError: There is none of that name.
    """
    if name not in PENALTIES:
        raise ConfigError(f"loss.penalty={name} is unknown: choose one of {', '.join(PENALTIES)}")
    return PENALTIES[name]
