"""Comparison of the arms of an evaluation: policies with a search, each trained with one seed or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ntp.evaluation.metrics import (
    Interval,
    PairedTest,
    bootstrap_difference,
    bootstrap_mean,
    bootstrap_ratio,
    distinct_counts,
    is_solved,
    mcnemar,
)
from ntp.evaluation.results import TheoremResult

# Separates the name of an arm from a seed in the name of a method.
_SEED_MARK = "@"


@dataclass(frozen=True, slots=True)
class Arm:
    """The methods of one name, one for each seed; what is counted is averaged over seeds.

    Attributes:
        name: Name of the arm.
        solved_N: For each of N theorems, the share of seeds that solved it.
        distinct_N: For each theorem, its distinct irredundant proofs, averaged over seeds.
        solved_S: For each of S seeds, the share of theorems solved.
        theorems: Ids of the theorems.
    """

    name: str
    solved_N: np.ndarray
    distinct_N: np.ndarray
    solved_S: np.ndarray
    theorems: tuple[str, ...]

    @property
    def num_seeds(self) -> int:
        """S."""
        return len(self.solved_S)


@dataclass(frozen=True, slots=True)
class Comparison:
    """An arm against another one.

    Attributes:
        method: Name of the arm.
        baseline: Name of the other.
        num_seeds: Seeds behind each.
        difference: Difference of the shares of theorems solved, with its 95 % paired bootstrap interval over
            theorems.
        solved: Ratio of theorems solved, with its interval.
        distinct: The same ratio of distinct irredundant proofs.
        test: Exact McNemar test on the theorems solved; None where an arm has several seeds.
    """

    method: str
    baseline: str
    num_seeds: tuple[int, int]
    difference: Interval
    solved: Interval
    distinct: Interval
    test: PairedTest | None


def arms_of(groups: Mapping[str, Sequence[TheoremResult]]) -> dict[str, Arm]:
    """The arms of an evaluation, by name.

    Args:
        groups: Results by method, `ARM` or `ARM@SEED`, theorems in one order.
    """
    methods: dict[str, list[Sequence[TheoremResult]]] = {}
    for method, results in groups.items():
        methods.setdefault(method.partition(_SEED_MARK)[0], []).append(results)
    return {name: _arm(name, runs) for name, runs in methods.items()}


def _arm(name: str, runs: Sequence[Sequence[TheoremResult]]) -> Arm:
    solved_SN = np.array([[is_solved(result) for result in run] for run in runs], dtype=float)
    distinct_SN = np.array([[distinct_counts(result).irredundant for result in run] for run in runs])
    theorems = tuple(result.theorem for result in runs[0])
    return Arm(name, solved_SN.mean(0), distinct_SN.mean(0), solved_SN.mean(1), theorems)


def compare(method: Arm, baseline: Arm, seed: int = 0, num_resamples: int = 2000) -> Comparison:
    """Compare two arms on the same theorems.

    Args:
        method: The arm.
        baseline: The arm it is compared with.
        seed: Seed of the bootstrap.
        num_resamples: Resamples of the bootstrap.

    Raises:
        ValueError: The theorems differ.
    """
    if method.theorems != baseline.theorems:
        raise ValueError("a paired comparison needs the same theorems in the same order")
    one_each = method.num_seeds == baseline.num_seeds == 1
    options = {"seed": seed, "num_resamples": num_resamples}
    return Comparison(
        method=method.name,
        baseline=baseline.name,
        num_seeds=(method.num_seeds, baseline.num_seeds),
        difference=bootstrap_difference(list(method.solved_N), list(baseline.solved_N), **options),
        solved=bootstrap_ratio(list(method.solved_N), list(baseline.solved_N), **options),
        distinct=bootstrap_ratio(list(method.distinct_N), list(baseline.distinct_N), **options),
        test=mcnemar(list(method.solved_N > 0), list(baseline.solved_N > 0)) if one_each else None,
    )


def arm_rows(
    arms: Sequence[Arm], seed: int = 0, num_resamples: int = 2000
) -> tuple[list[str], list[list[str]]]:
    """Header and cells of the table of arms that have several seeds."""
    header = [
        "arm",
        "seeds",
        "solved, mean over seeds (95 % interval over theorems)",
        "least and most of a seed",
    ]
    header += ["distinct proofs, mean over seeds"]
    rows = []
    for arm in arms:
        rate = bootstrap_mean(list(arm.solved_N), seed, num_resamples=num_resamples)
        solved = f"{rate.value:.1%} [{rate.low:.1%}, {rate.high:.1%}]"
        spread = f"{arm.solved_S.min():.1%} to {arm.solved_S.max():.1%}"
        rows.append([arm.name, str(arm.num_seeds), solved, spread, f"{arm.distinct_N.sum():.1f}"])
    return header, rows


def comparison_rows(comparisons: Sequence[Comparison]) -> tuple[list[str], list[list[str]]]:
    """Header and cells of the table of paired comparisons."""
    header = ["method / baseline", "seeds", "solved, difference (95 % interval)"]
    header += ["solved ratio (95 % interval)", "distinct ratio (95 % interval)"]
    header += ["solved by it alone", "by baseline alone", "McNemar p"]
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
        *tested,
    ]


def flat_arms(arms: Sequence[Arm]) -> dict[str, float]:
    """Metric name to number, `ARM/...`, of arms that have several seeds."""
    flat: dict[str, float] = {}
    for arm in arms:
        flat[f"{arm.name}/num_seeds"] = arm.num_seeds
        flat[f"{arm.name}/solved_rate"] = float(arm.solved_N.mean())
        flat[f"{arm.name}/num_distinct_proofs"] = float(arm.distinct_N.sum())
    return flat


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
