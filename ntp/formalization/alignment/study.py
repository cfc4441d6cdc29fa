"""The numbers of an alignment study: what is known of each condition, and what predicts what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ntp.errors import DataError
from ntp.formalization.alignment.analysis import Prediction, Vector, difference_of_r2, means, predict
from ntp.types import Interval

MEASURES = ("task2vec", "gzip", "ngrams", "embeddings", "vendi")
SIZE, OVERLAP = "size", "overlap"
MIN_CONDITIONS = 4


@dataclass(frozen=True)
class ConditionResult:
    """What is known of one condition.

    Attributes:
        name: Its name.
        measures: `alignment/MEASURE`, `diversity/MEASURE` and `overlap` by name.
        num_distinct_tokens: Tokens of its different texts together.
        outcomes: For each outcome the value of each seed.
    """

    name: str
    measures: Mapping[str, float]
    num_distinct_tokens: int
    outcomes: Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Study:
    """What predicts what.

    Attributes:
        conditions: The conditions.
        predictions: By outcome and predictor.
        differences: By outcome and rival, r^2 of Task2Vec's alignment less that of the rival's.
    """

    conditions: Sequence[ConditionResult]
    predictions: Mapping[str, Mapping[str, Prediction]]
    differences: Mapping[str, Mapping[str, Interval]]


def predictor_values(conditions: Sequence[ConditionResult]) -> dict[str, Vector]:
    """The predictors: alignments, diversities, vocabulary overlap, and the logarithm of the size."""
    names = [f"{kind}/{measure}" for kind in ("alignment", "diversity") for measure in MEASURES]
    values = {name: np.array([c.measures[name] for c in conditions]) for name in names}
    size = np.log([c.num_distinct_tokens for c in conditions])
    return values | {OVERLAP: np.array([c.measures[OVERLAP] for c in conditions]), SIZE: size}


def analyse(conditions: Sequence[ConditionResult]) -> Study:
    """How well each predictor predicts each outcome.

    Partial correlations hold constant the size, as the logarithm of the number of distinct tokens, and the
    vocabulary overlap; those of these two hold constant the other one.

    Raises:
        DataError: There are fewer than four conditions.
    """
    if len(conditions) < MIN_CONDITIONS:
        raise DataError(
            f"{len(conditions)} conditions: a correlation needs at least {MIN_CONDITIONS}, and says little "
            "below 20; give more in alignment.conditions"
        )
    predictors = predictor_values(conditions)
    predictions: dict[str, dict[str, Prediction]] = {}
    differences: dict[str, dict[str, Interval]] = {}
    for outcome in conditions[0].outcomes:
        y_N = means({c.name: c.outcomes[outcome] for c in conditions})
        predictions[outcome] = {
            name: predict(x_N, y_N, [predictors[c] for c in (SIZE, OVERLAP) if c != name], name)
            for name, x_N in predictors.items()
        }
        ours = predictors["alignment/task2vec"]
        rivals = [*(f"alignment/{measure}" for measure in MEASURES[1:]), OVERLAP]
        # One seed for all rivals and outcomes: the same resamples of conditions.
        differences[outcome] = {r: difference_of_r2(ours, predictors[r], y_N, "difference") for r in rivals}
    return Study(conditions, predictions, differences)


def flat(study: Study) -> dict[str, float]:
    """Metric name to number; what is not defined is left out."""
    found: dict[str, float] = {"num_conditions": len(study.conditions)}
    for outcome, predictions in study.predictions.items():
        for name, value in predictions.items():
            key = f"{outcome}/{name}"
            found |= {f"{key}/r": value.r, f"{key}/spearman": value.spearman, f"{key}/partial": value.partial}
            found |= _interval(f"{key}/r2", value.r2)
        for name, interval in study.differences[outcome].items():
            found |= _interval(f"{outcome}/{name}/r2_behind_task2vec", interval)
    return {key: value for key, value in found.items() if np.isfinite(value)}


def _interval(name: str, value: Interval) -> dict[str, float]:
    return {name: value.value, f"{name}/low": value.low, f"{name}/high": value.high}
