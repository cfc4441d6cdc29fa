"""Measures of diversity and alignment: one interface, and those that are mean distances of batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ntp.errors import DataError
from ntp.seeding import derive_seed
from ntp.types import Interval

R = TypeVar("R")
NUM_RESAMPLES = 1000
_LEVEL = 0.95


class Measure(Protocol):
    """A measure of sets of texts, which are given in batches.

    Attributes:
        name: Name in tables.
    """

    name: str

    def represent(self, texts: Sequence[str]) -> Any:
        """What the measure keeps of a batch."""
        ...

    def diversity(self, batches: Sequence[Any]) -> Interval:
        """How much the batches of one set differ, with a 95 % interval over batches."""
        ...

    def alignment(self, source: Sequence[Any], target: Sequence[Any]) -> Interval:
        """How close two sets are, at most 1, with a 95 % interval over batches of both."""
        ...


class PairwiseMeasure(ABC, Generic[R]):
    """Diversity is the mean distance between two batches of a set, alignment 1 - the mean between two sets.

    Intervals are percentiles of the bootstrap over batches: a pair of batches is no independent observation,
    so an interval over pairs would be too narrow.
    """

    name: str

    @abstractmethod
    def represent(self, texts: Sequence[str]) -> R:
        """What the measure keeps of a batch."""

    @abstractmethod
    def distance(self, one: R, other: R) -> float:
        """The distance between two batches, from 0 to 1."""

    def diversity(self, batches: Sequence[R]) -> Interval:
        """The mean distance between two different batches.

        Raises:
            DataError: There are fewer than two batches.
        """
        if len(batches) < 2:
            raise DataError(f"{self.name}: the diversity of {len(batches)} batch is not defined")
        distance_BB = np.zeros((len(batches), len(batches)))
        for i, one in enumerate(batches):
            for j in range(i):
                distance_BB[i, j] = distance_BB[j, i] = self.distance(one, batches[j])
        return mean_within(distance_BB)

    def alignment(self, source: Sequence[R], target: Sequence[R]) -> Interval:
        """1 - the mean distance between a batch of one set and a batch of the other.

        Raises:
            DataError: A set has no batch.
        """
        if not source or not target:
            raise DataError(f"{self.name}: the alignment with an empty set is not defined")
        distance = mean_between(np.array([[self.distance(a, b) for b in target] for a in source]))
        return Interval(1 - distance.value, 1 - distance.high, 1 - distance.low)


def mean_within(distance_BB: NDArray[np.floating]) -> Interval:
    """The mean distance between two different batches of a set, from the matrix of all distances."""
    num = len(distance_BB)
    weight_SB = _resampled(num, "within")
    distance_BB = distance_BB - np.diag(np.diag(distance_BB))
    total_S = np.einsum("sb,bc,sc->s", weight_SB, distance_BB, weight_SB)
    pairs_S = weight_SB.sum(1) ** 2 - (weight_SB**2).sum(1)
    # A resample of one batch only has no pair.
    means_S = total_S[pairs_S > 0] / pairs_S[pairs_S > 0]
    return interval(distance_BB.sum() / (num * (num - 1)), means_S)


def mean_between(distance_BC: NDArray[np.floating]) -> Interval:
    """The mean distance between a batch of one set and a batch of another, from the matrix of distances."""
    num_B, num_C = distance_BC.shape
    weight_SB, weight_SC = _resampled(num_B, "source"), _resampled(num_C, "target")
    means_S = np.einsum("sb,bc,sc->s", weight_SB, distance_BC, weight_SC) / (num_B * num_C)
    return interval(float(distance_BC.mean()), means_S)


def interval(value: float, resampled_S: NDArray[np.floating]) -> Interval:
    """An estimate with the percentiles of its bootstrap distribution as 95 % interval."""
    if not len(resampled_S):
        return Interval(float(value), float(value), float(value))
    low, high = np.quantile(resampled_S, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Interval(float(value), float(low), float(high))


def _resampled(num: int, name: str) -> NDArray[np.floating]:
    """How often each of `num` batches is in each bootstrap resample, (S, num)."""
    random = np.random.default_rng(derive_seed("resampled batches", name, num))
    return random.multinomial(num, np.full(num, 1 / num), size=NUM_RESAMPLES).astype(float)
