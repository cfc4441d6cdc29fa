"""From the scores of K verifiers to one number per tactic.

Coste et al. (2023, section 3): the mean; worst-case optimisation, the least score; uncertainty-weighted
optimisation, the mean minus a multiple of the variance over verifiers. A policy that finds what one verifier
wrongly likes gains little from the last two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


class Aggregation(Protocol):
    """One number per tactic."""

    def __call__(self, score_KN: Tensor) -> Tensor:
        """(N,) from the standardised scores of K heads."""
        ...


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean over heads."""

    def __call__(self, score_KN: Tensor) -> Tensor:
        """(N,)."""
        return score_KN.mean(0)


@dataclass(frozen=True, slots=True)
class Least:
    """The least score of any head (WCO)."""

    def __call__(self, score_KN: Tensor) -> Tensor:
        """(N,)."""
        return score_KN.amin(0)


@dataclass(frozen=True, slots=True)
class MeanMinusVariance:
    """Mean minus `weight` times the variance over heads (UWO).

    Attributes:
        weight: lambda.
    """

    weight: float = 0.5

    def __call__(self, score_KN: Tensor) -> Tensor:
        """(N,)."""
        return score_KN.mean(0) - self.weight * disagreement(score_KN).square()


def disagreement(score_KN: Tensor) -> Tensor:
    """Standard deviation over heads, (N,); 0 for one head."""
    return score_KN.std(0, correction=0)
