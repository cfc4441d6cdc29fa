"""How the distance of a value from its target is turned into a loss, the same on both sides of 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from ntp.errors import ConfigError


class RegressionLoss(Protocol):
    """An elementwise loss of residuals."""

    def __call__(self, residual_N: Tensor, /) -> Tensor:
        """The loss of each residual, same shape."""
        ...


def square(residual_N: Tensor) -> Tensor:
    """r², in nats²."""
    return residual_N.square()


def huber(residual_N: Tensor, delta: float = 1.0) -> Tensor:
    """r² up to |r| = delta, delta (2 |r| - delta) beyond: twice torch's Huber loss, so it extends `square`.

    Args:
        residual_N: Residuals in nats.
        delta: Where the loss becomes linear, in nats; bounds the gradient of each residual by 2 delta.
    """
    zero_N = torch.zeros_like(residual_N)
    return 2 * functional.huber_loss(residual_N, zero_N, reduction="none", delta=delta)


REGRESSION_LOSSES: Mapping[str, RegressionLoss] = {"square": square, "huber": huber}


def regression_loss(name: str) -> RegressionLoss:
    """The regression loss that a config names.

    Raises:
        ConfigError: There is none of that name.
    """
    if name not in REGRESSION_LOSSES:
        raise ConfigError(f"loss.regression={name} is unknown: choose one of {', '.join(REGRESSION_LOSSES)}")
    return REGRESSION_LOSSES[name]
