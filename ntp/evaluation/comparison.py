"""Paired comparison of two methods on the same theorems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ntp.evaluation.metrics import Interval, PairedTest, bootstrap_ratio, distinct_counts, is_solved, mcnemar
from ntp.evaluation.results import TheoremResult


@dataclass(frozen=True, slots=True)
class Comparison:
    """A method against a baseline.

    Attributes:
        method: Name of the method.
        baseline: Name of the baseline.
        solved: Ratio of theorems solved, method over baseline, with its 95 % paired bootstrap interval.
        distinct: The same ratio of distinct irredundant proofs.
        test: Exact McNemar test on the theorems solved, the method first.
    """

    method: str
    baseline: str
    solved: Interval
    distinct: Interval
    test: PairedTest


def compare(
    method: Sequence[TheoremResult],
    baseline: Sequence[TheoremResult],
    seed: int = 0,
    num_resamples: int = 2000,
) -> Comparison:
    """Compare two methods asked for the same theorems.

    Args:
        method: Results of the method.
        baseline: Results of the baseline, in the same order of theorems (as `by_method` puts them).
        seed: Of the bootstrap.
        num_resamples: Of the bootstrap.

    Raises:
        ValueError: The theorems differ.
    """
    if [result.theorem for result in method] != [result.theorem for result in baseline]:
        raise ValueError("a paired comparison needs the same theorems in the same order")
    solved = [[float(is_solved(result)) for result in group] for group in (method, baseline)]
    distinct = [[distinct_counts(result).irredundant for result in group] for group in (method, baseline)]
    return Comparison(
        method=method[0].method,
        baseline=baseline[0].method,
        solved=bootstrap_ratio(*solved, seed=seed, num_resamples=num_resamples),
        distinct=bootstrap_ratio(*distinct, seed=seed, num_resamples=num_resamples),
        test=mcnemar([is_solved(result) for result in method], [is_solved(result) for result in baseline]),
    )


def comparison_rows(comparisons: Sequence[Comparison]) -> tuple[list[str], list[list[str]]]:
    """Header and cells of the table of paired comparisons."""
    header = ["method / baseline", "solved ratio (95 % interval)", "distinct ratio (95 % interval)"]
    header += ["solved by it alone", "by baseline alone", "McNemar p"]
    rows = [
        [
            f"{comparison.method} / {comparison.baseline}",
            _ratio_text(comparison.solved),
            _ratio_text(comparison.distinct),
            str(comparison.test.num_only_first),
            str(comparison.test.num_only_second),
            f"{comparison.test.p_value:.3g}",
        ]
        for comparison in comparisons
    ]
    return header, rows


def flat_comparison(comparison: Comparison) -> dict[str, float]:
    """Metric name to number, `METHOD/..._vs_BASELINE`. Infinite ratios are left out: JSON has none."""
    values = {
        "solved_ratio": comparison.solved.value,
        "distinct_ratio": comparison.distinct.value,
        "distinct_ratio_low": comparison.distinct.low,
        "distinct_ratio_high": comparison.distinct.high,
        "mcnemar_p": comparison.test.p_value,
    }
    suffix = f"_vs_{comparison.baseline}"
    return {
        f"{comparison.method}/{name}{suffix}": value
        for name, value in values.items()
        if value != float("inf")
    }


def _ratio_text(interval: Interval) -> str:
    return f"{interval.value:.2f} [{interval.low:.2f}, {interval.high:.2f}]"
