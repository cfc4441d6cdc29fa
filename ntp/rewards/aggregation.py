"""Aggregation of the scores of K verifiers into one per tactic (Coste et al. 2023, section 3).

A policy that exploits an error of one verifier gains little if the lowest score counts, or if the variance
over verifiers is subtracted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from ntp.bounds import NonNegativeFloat


class Aggregation(Protocol):
    """One log-odds per tactic."""

    def __call__(self, log_odds_KN: Tensor) -> Tensor:
        """(N,) from the log-odds of K heads."""
        ...


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean over heads."""

    def __call__(self, log_odds_KN: Tensor) -> Tensor:
        """(N,)."""
        return log_odds_KN.mean(0)


@dataclass(frozen=True, slots=True)
class WorstCase:
    """The minimum over heads: worst-case optimisation, WCO."""

    def __call__(self, log_odds_KN: Tensor) -> Tensor:
        """(N,)."""
        return log_odds_KN.amin(0)


@dataclass(frozen=True, slots=True)
class UncertaintyWeighted:
    """Mean minus `variance_weight` times the variance over heads: uncertainty-weighted optimisation, UWO.

    Attributes:
        variance_weight: lambda.
    """

    variance_weight: NonNegativeFloat = 1.0

    def __call__(self, log_odds_KN: Tensor) -> Tensor:
        """(N,)."""
        return log_odds_KN.mean(0) - self.variance_weight * log_odds_KN.var(0, correction=0)


def disagreement(log_odds_KN: Tensor) -> Tensor:
    """Standard deviation over heads, (N,); 0 for one head."""
    return log_odds_KN.std(0, correction=0)
