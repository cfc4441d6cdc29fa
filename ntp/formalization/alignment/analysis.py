"""How well a measure of data predicts an outcome: r^2, its interval, and the partial correlation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from ntp.seeding import derive_seed
from ntp.types import Interval

Vector = NDArray[np.float64]
_NUM_RESAMPLES = 2000
_MIN_CONDITIONS = 4


@dataclass(frozen=True, slots=True)
class Prediction:
    """How a measure and an outcome go together over conditions.

    Attributes:
        r: Pearson's correlation.
        r2: Its square, with a 95 % bootstrap interval over conditions.
        spearman: Rank correlation.
        partial: Correlation of what size and vocabulary overlap do not explain of either, linearly; nan where
            they explain all of one.
        num_conditions: Number of conditions.
    """

    r: float
    r2: Interval
    spearman: float
    partial: float
    num_conditions: int


def correlation(x_N: Vector, y_N: Vector) -> float:
    """Pearson's correlation; nan where one is constant."""
    return float(correlations(x_N[None], y_N[None])[0])


def correlations(x_SN: Vector, y_SN: Vector) -> Vector:
    """Pearson's correlation of each row, (S,); nan where one of the two is constant up to rounding."""
    centred = [values - values.mean(1, keepdims=True) for values in (x_SN, y_SN)]
    norm_S = np.prod([np.linalg.norm(values, axis=1) for values in centred], axis=0)
    rounding_S = 1e-12 * np.prod([np.linalg.norm(values, axis=1) for values in (x_SN, y_SN)], axis=0)
    defined_S = norm_S > np.maximum(rounding_S, 1e-300)
    products_S = (centred[0] * centred[1]).sum(1)
    return np.where(defined_S, products_S / np.where(defined_S, norm_S, 1), np.nan)


def residuals(values_N: Vector, controls: Sequence[Vector]) -> Vector:
    """What a linear function of the controls, with a constant, does not explain of values."""
    design = np.column_stack([np.ones(len(values_N)), *controls])
    return values_N - design @ np.linalg.lstsq(design, values_N, rcond=None)[0]


def partial_correlation(x_N: Vector, y_N: Vector, controls: Sequence[Vector]) -> float:
    """Correlation of the residuals of x and y; nan where the controls explain all of one of them."""
    x, y = residuals(x_N, controls), residuals(y_N, controls)
    if np.ptp(x) <= 1e-9 * np.ptp(x_N) or np.ptp(y) <= 1e-9 * np.ptp(y_N):
        return float("nan")
    return correlation(x, y)


def predict(x_N: Vector, y_N: Vector, controls: Sequence[Vector], name: str) -> Prediction:
    """How a measure and an outcome go together.

    Args:
        x_N: The measure, one number per condition.
        y_N: The outcome, the mean over seeds.
        controls: Numbers of each condition to be held constant.
        name: What the seed of the bootstrap is derived from.

    Raises:
        ValueError: There are fewer than four conditions.
    """
    if len(x_N) < _MIN_CONDITIONS:
        raise ValueError(f"a correlation over {len(x_N)} conditions says nothing: give at least 4")
    r = correlation(x_N, y_N)
    index_SN = _resamples(len(x_N), name)
    return Prediction(
        r,
        _interval(r * r, correlations(x_N[index_SN], y_N[index_SN]) ** 2),
        correlation(rankdata(x_N), rankdata(y_N)),
        partial_correlation(x_N, y_N, controls),
        len(x_N),
    )


def difference_of_r2(x_N: Vector, other_N: Vector, y_N: Vector, name: str) -> Interval:
    """r^2 of one measure less that of another, on the same conditions, with a paired bootstrap interval."""
    value = correlation(x_N, y_N) ** 2 - correlation(other_N, y_N) ** 2
    index_SN = _resamples(len(x_N), name)
    ours_S, theirs_S = (correlations(v[index_SN], y_N[index_SN]) ** 2 for v in (x_N, other_N))
    return _interval(value, ours_S - theirs_S)


def vocabulary_overlap(texts: Sequence[str], target: Sequence[str]) -> float:
    """Share of the words of a target's texts that occur in other texts."""
    known = {word for text in texts for word in text.split()}
    words = [word for text in target for word in text.split()]
    return sum(word in known for word in words) / len(words) if words else 0.0


def means(values: Mapping[str, Sequence[float]]) -> Vector:
    """The mean over seeds of each condition."""
    return np.array([float(np.mean(runs)) for runs in values.values()])


def _resamples(num: int, name: str) -> NDArray[np.intp]:
    random = np.random.default_rng(derive_seed("conditions", name))
    return random.integers(num, size=(_NUM_RESAMPLES, num))


def _interval(value: float, resampled_S: Vector) -> Interval:
    """Percentiles of the resamples in which both vary."""
    kept = resampled_S[np.isfinite(resampled_S)]
    if not len(kept) or not np.isfinite(value):
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(kept, [0.025, 0.975])
    return Interval(value, float(low), float(high))
