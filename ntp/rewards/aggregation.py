"""Aggregation of the scores of K verifiers into one per tactic (Coste et al. 2023, section 3).

A policy that exploits an error of one verifier gains little if the lowest score counts, or if the variance
over verifiers is subtracted. With labels at hand, what each verifier and their disagreement are worth can be
learned too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from ntp.bounds import NonNegativeFloat
from ntp.errors import ConfigError


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


@dataclass(frozen=True, slots=True)
class Learned:
    """The combination that the verifiers' training fitted to held-out attempts (`ntp.verifier.combination`).

    It stands for a `Combination` in a config: whoever loads the verifiers puts that in its place.
    """

    def __call__(self, log_odds_KN: Tensor) -> Tensor:  # noqa: ARG002 - the interface
        """Never.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError("aggregation=learned needs verifiers, which know what was learned")


@dataclass(frozen=True, slots=True)
class Combination:
    """Weighs the heads' log-odds and their disagreement.

    Attributes:
        weights: Weight of each head's log-odds.
        disagreement_weight: Weight of the standard deviation over heads.
        offset: Log-odds where all of these are 0.
    """

    weights: tuple[float, ...]
    disagreement_weight: float
    offset: float

    def __call__(self, log_odds_KN: Tensor) -> Tensor:
        """(N,).

        Raises:
            ValueError: It was fitted for another number of heads.
        """
        weighed_N = log_odds_KN.new_tensor(self.weights) @ log_odds_KN
        return weighed_N + self.disagreement_weight * disagreement(log_odds_KN) + self.offset


def disagreement(log_odds_KN: Tensor) -> Tensor:
    """Standard deviation over heads, (N,); 0 for one head."""
    return log_odds_KN.std(0, correction=0)
