"""Comparison of two arms on the same theorems: paired intervals and an exact test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ntp.evaluation.arms import Arm, Measure, measure_distinct, measure_solved
from ntp.evaluation.metrics import (
    Interval,
    PairedTest,
    bootstrap_difference,
    bootstrap_ratio,
    mcnemar,
    rarefied_distinct,
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """An arm against another one, both averaged over their seeds.

    Attributes:
        method: Name of the arm.
        baseline: Name of the arm that it is compared with.
        num_seeds: Number of seeds of each.
        difference: Difference of the solved rates, with its 95 % paired bootstrap interval over theorems.
        solved: Ratio of the numbers of solved theorems, with its interval.
        distinct: Ratio of the numbers of distinct minimal proofs, with its interval.
        rarefied: The same on theorems that both solve, among equally many successes of each
            (`rarefied_distinct`), with its interval; None unless samples are independent.
        test: Exact McNemar test on the solved theorems; None where an arm has several seeds, since the test
            is of one yes or no per theorem.
    """

    method: str
    baseline: str
    num_seeds: tuple[int, int]
    difference: Interval
    solved: Interval
    distinct: Interval
    rarefied: Interval | None
    test: PairedTest | None


def compare(method: Arm, baseline: Arm, seed: int = 0, num_resamples: int = 2000) -> Comparison:
    """Compare two arms on the same theorems.

    Args:
        method: The arm.
        baseline: The arm that it is compared with.
        seed: Seed of the bootstrap.
        num_resamples: Number of bootstrap resamples.

    Raises:
        ValueError: The theorems differ.
    """
    if method.theorems != baseline.theorems:
        raise ValueError(f"{method.name} and {baseline.name} do not have the same theorems in the same order")
    options = {"seed": seed, "num_resamples": num_resamples}
    solved = [_mean_over_seeds(arm, measure_solved) for arm in (method, baseline)]
    distinct = [_mean_over_seeds(arm, measure_distinct) for arm in (method, baseline)]
    rarefied = _rarefied(method, baseline)
    one_seed_each = method.num_seeds == baseline.num_seeds == 1
    return Comparison(
        method=method.name,
        baseline=baseline.name,
        num_seeds=(method.num_seeds, baseline.num_seeds),
        difference=bootstrap_difference(solved[0], solved[1], **options),
        solved=bootstrap_ratio(solved[0], solved[1], **options),
        distinct=bootstrap_ratio(distinct[0], distinct[1], **options),
        rarefied=bootstrap_ratio(*rarefied, **options) if rarefied else None,
        test=mcnemar(*([value > 0 for value in values] for values in solved)) if one_seed_each else None,
    )


def _mean_over_seeds(arm: Arm, measure: Measure) -> list[float]:
    values_SN = arm.values_SN(measure)
    assert values_SN is not None, "the measure is defined for every run"
    return list(np.mean(values_SN, axis=0))


def _rarefied(method: Arm, baseline: Arm) -> tuple[list[float], list[float]] | None:
    """Rarefied distinct proofs of each theorem, averaged over all pairs of seeds."""
    pairs_PN = [
        [rarefied_distinct(one, other) for one, other in zip(first, second, strict=True)]
        for first in method.runs.values()
        for second in baseline.runs.values()
    ]
    runs = [*method.runs.values(), *baseline.runs.values()]
    if not all(result.independent for run in runs for result in run):
        return None
    means_N2 = np.mean(pairs_PN, axis=0)
    return list(means_N2[:, 0]), list(means_N2[:, 1])


def comparison_rows(comparisons: Sequence[Comparison]) -> tuple[list[str], list[list[str]]]:
    """Header and cells of the table of paired comparisons."""
    header = ["method / baseline", "seeds", "difference of solved rates (95 % interval)"]
    header += ["solved ratio (95 % interval)", "distinct ratio (95 % interval)"]
    header += ["rarefied distinct ratio (95 % interval)"]
    header += ["solved only by method", "only by baseline", "McNemar p"]
    return header, [_row(comparison) for comparison in comparisons]


def _row(comparison: Comparison) -> list[str]:
    test = comparison.test
    tested = ["-"] * 3
    if test is not None:
        tested = [str(test.num_only_first), str(test.num_only_second), f"{test.p_value:.3g}"]
    difference = comparison.difference
    return [
        f"{comparison.method} / {comparison.baseline}",
        f"{comparison.num_seeds[0]} / {comparison.num_seeds[1]}",
        f"{difference.value:+.1%} [{difference.low:+.1%}, {difference.high:+.1%}]",
        _ratio_text(comparison.solved),
        _ratio_text(comparison.distinct),
        "-" if comparison.rarefied is None else _ratio_text(comparison.rarefied),
        *tested,
    ]


def flat_comparison(comparison: Comparison) -> dict[str, float]:
    """Metric name to number, `METHOD/..._vs_BASELINE`. Infinite ratios are left out: JSON has none."""
    values = {
        "solved_difference": comparison.difference.value,
        "solved_difference_low": comparison.difference.low,
        "solved_difference_high": comparison.difference.high,
        "solved_ratio": comparison.solved.value,
        "distinct_ratio": comparison.distinct.value,
        "distinct_ratio_low": comparison.distinct.low,
        "distinct_ratio_high": comparison.distinct.high,
    }
    if comparison.rarefied is not None:
        values["rarefied_distinct_ratio"] = comparison.rarefied.value
        values["rarefied_distinct_ratio_low"] = comparison.rarefied.low
        values["rarefied_distinct_ratio_high"] = comparison.rarefied.high
    if comparison.test is not None:
        values["mcnemar_p"] = comparison.test.p_value
    suffix = f"_vs_{comparison.baseline}"
    return {
        f"{comparison.method}/{name}{suffix}": value
        for name, value in values.items()
        if value != float("inf")
    }


def _ratio_text(interval: Interval) -> str:
    return f"{interval.value:.2f} [{interval.low:.2f}, {interval.high:.2f}]"
