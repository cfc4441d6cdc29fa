"""Endpoints of a study of several training seeds: what arms do on theorems that no one-shot tactic proves.

Theorems of one file resemble one another, and training runs differ as much as methods do: intervals are over
both, files and seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ntp.evaluation.arms import Arm, Measure, measure_distinct, seed_of
from ntp.evaluation.metrics import Interval, expected_distinct, is_solved, pass_at_k, pass_at_k_values
from ntp.evaluation.results import TheoremResult

ONE_SHOT = "one_shot"
CURVE_AT = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_LEVEL = 0.95
# The measures that arms are compared on, sums over theorems, and their names in summary.json.
_MEASURES: Mapping[str, Measure] = {
    "solved@32": partial(pass_at_k_values, k=32),
    "distinct minimal proofs": measure_distinct,
}
_KEYS = {"solved@32": "solved_at_32", "distinct minimal proofs": "distinct"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One arm against another one on one measure.

    Attributes:
        name: Name of the measure, a sum over theorems.
        method: Name of the arm.
        baseline: Name of the arm that it is compared with.
        num_seeds: Number of seeds of each. With one the interval is over files only.
        ratio: Ratio of the sums, each the mean over seeds, with its 95 % percentile interval over resampled
            seeds and files.
        p_value: Two-sided, of equal sums, from the same resamples; None with a single seed or file.
        adjusted: The p-value after Holm's correction for all endpoints of the report.
    """

    name: str
    method: str
    baseline: str
    num_seeds: tuple[int, int]
    ratio: Interval
    p_value: float | None
    adjusted: float | None


def beyond_one_shot(groups: Mapping[str, Sequence[TheoremResult]]) -> np.ndarray | None:
    """Which theorems no one-shot tactic proves, (N,); None if none was tried."""
    if ONE_SHOT not in groups:
        return None
    return np.array([not is_solved(result) for result in groups[ONE_SHOT]])


def endpoints(
    pairs: Sequence[tuple[Arm, Arm]], kept_N: np.ndarray, seed: int, num_resamples: int
) -> tuple[Endpoint, ...]:
    """Compare pairs of arms on every measure that is defined for both, with Holm's correction.

    Args:
        pairs: (method, baseline), over the same N theorems.
        kept_N: Which theorems are counted.
        seed: Seed of the bootstrap.
        num_resamples: Number of resamples.
    """
    found = []
    for name, measure in _MEASURES.items():
        for method, baseline in pairs:
            ordered = _ordered(method, baseline)
            values = [arm.values_SN(measure) for arm in (method, ordered or baseline)]
            if ONE_SHOT in (method.name, baseline.name) or values[0] is None or values[1] is None:
                continue
            files = [result.file for result in next(iter(method.runs.values()))]
            kept_files = [file for file, kept in zip(files, kept_N, strict=True) if kept]
            if not kept_files:
                continue
            kept = (values[0][:, kept_N], values[1][:, kept_N])
            paired = ordered is not None
            ratio, p_value = hierarchical_ratio(kept[0], kept[1], kept_files, seed, num_resamples, paired)
            num_seeds = (method.num_seeds, baseline.num_seeds)
            found.append(Endpoint(name, method.name, baseline.name, num_seeds, ratio, p_value, None))
    adjusted = iter(holm([e.p_value for e in found if e.p_value is not None]))
    return tuple(e if e.p_value is None else replace(e, adjusted=next(adjusted)) for e in found)


def _ordered(method: Arm, baseline: Arm) -> Arm | None:
    """The baseline with its runs in the order of the method's seeds; None if they have other seeds."""
    runs = {seed_of(name): name for name in baseline.runs}
    seeds = [seed_of(name) for name in method.runs]
    if sorted(seeds) != sorted(runs):
        return None
    return Arm(baseline.name, {runs[seed]: baseline.runs[runs[seed]] for seed in seeds})


def hierarchical_ratio(
    first_SN: np.ndarray,
    second_SN: np.ndarray,
    files: Sequence[str],
    seed: int,
    num_resamples: int,
    paired: bool = True,
) -> tuple[Interval, float | None]:
    """Ratio of two sums over theorems, with an interval and a p-value over resampled seeds and files.

    Of S seeds and F files S - 1 and F - 1 are drawn (of one, that one), so that the variance of a mean is not
    too small by the factor (S - 1) / S.

    Args:
        first_SN: Values by seed and theorem.
        second_SN: Those of the baseline, of as many theorems.
        files: The file of each theorem.
        seed: Seed of the bootstrap.
        num_resamples: Number of resamples.
        paired: Whether rows are resampled in pairs, since runs of one seed share the policy that they start
            from.

    Returns:
        The ratio (infinite for a baseline of 0, or 1 if both are 0) with its percentile interval, and the
        two-sided p-value of no difference, None with a single seed or file.
    """
    names = {file: i for i, file in enumerate(dict.fromkeys(files))}
    is_in_NF = np.eye(len(names))[[names[file] for file in files]]
    first_SF, second_SF = first_SN @ is_in_NF, second_SN @ is_in_NF
    draw = np.random.default_rng(seed)

    def drawn(num: int) -> np.ndarray:
        return draw.integers(num, size=(num_resamples, max(1, num - 1)))

    file_BF, first_BS = drawn(len(names)), drawn(len(first_SF))
    second_BS = first_BS if paired else drawn(len(second_SF))
    first_B = first_SF[first_BS[:, :, None], file_BF[:, None, :]].sum(2).mean(1)
    second_B = second_SF[second_BS[:, :, None], file_BF[:, None, :]].sum(2).mean(1)
    ratio_B = _ratio(first_B, second_B)
    low, high = np.quantile(ratio_B, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2], method="nearest")
    value = _ratio(first_SF.sum(1).mean(keepdims=True), second_SF.sum(1).mean(keepdims=True))[0]
    interval = Interval(float(value), float(low), float(high))
    if min(len(first_SF), len(second_SF), len(names)) < 2:
        return interval, None
    tail = min((first_B <= second_B).sum(), (first_B >= second_B).sum())
    return interval, float(min(1.0, 2 * (tail + 1) / (num_resamples + 1)))


def _ratio(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((first == 0) & (second == 0), 1.0, first / second)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values after Holm's step-down correction (Holm 1979), in the same order."""
    adjusted, least = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = least
    return adjusted


def endpoint_rows(found: Sequence[Endpoint]) -> tuple[list[str], list[list[str]]]:
    """Header and cells of the table of endpoints."""
    header = ["measure", "method / baseline", "seeds", "ratio (95 % interval)", "p", "p, Holm"]
    return header, [
        [
            e.name,
            f"{e.method} / {e.baseline}",
            f"{e.num_seeds[0]} / {e.num_seeds[1]}",
            f"{e.ratio.value:.2f} [{e.ratio.low:.2f}, {e.ratio.high:.2f}]",
            *("-" if p is None else f"{p:.3g}" for p in (e.p_value, e.adjusted)),
        ]
        for e in found
    ]


def flat_endpoints(found: Sequence[Endpoint]) -> dict[str, float]:
    """Metric name to number, `METHOD/beyond_..._vs_BASELINE`. Infinite ratios are left out."""
    flat = {}
    for e in found:
        name = f"{e.method}/beyond_{_KEYS[e.name]}"
        values = {"ratio": e.ratio.value, "ratio_low": e.ratio.low, "ratio_high": e.ratio.high}
        if e.p_value is not None and e.adjusted is not None:
            values |= {"p": e.p_value, "p_holm": e.adjusted}
        flat |= {
            f"{name}_{key}_vs_{e.baseline}": value for key, value in values.items() if np.isfinite(value)
        }
    return flat


def curve_rows(arms: Sequence[Arm], kept_N: np.ndarray) -> tuple[list[str], list[list[str]]]:
    """Header and cells of expected solved theorems and rarefied distinct proofs by number of samples.

    Args:
        arms: The arms.
        kept_N: Which theorems are counted.
    """
    header = ["arm", "measure", *map(str, CURVE_AT)]
    rows = []
    for arm in arms:
        for name, curve in (("solved", _solved_at), ("distinct minimal", _distinct_at)):
            cells = [curve(arm, kept_N, k) for k in CURVE_AT]
            if any(cell is not None for cell in cells):
                rows.append([arm.name, name, *("-" if cell is None else f"{cell:.1f}" for cell in cells)])
    return header, rows


def _solved_at(arm: Arm, kept_N: np.ndarray, k: int) -> float | None:
    values_SN = arm.values_SN(lambda run: pass_at_k_values(run, k))
    return None if values_SN is None else float(values_SN[:, kept_N].sum(1).mean())


def _distinct_at(arm: Arm, kept_N: np.ndarray, k: int) -> float | None:
    values_SN = arm.values_SN(lambda run: distinct_at_k_values(run, k))
    return None if values_SN is None else float(values_SN[:, kept_N].sum(1).mean())


def distinct_at_k_values(results: Sequence[TheoremResult], k: int) -> list[float] | None:
    """Expected distinct minimal proofs of each theorem among k of its samples, by rarefaction.

    Missing samples count as failures; None where samples are not independent or fewer than k.
    """
    n = max((len(result.attempts) for result in results), default=0)
    if k > n or not all(result.independent for result in results):
        return None
    values = []
    for result in results:
        counts = result.successes_by_script.values()
        num_failures = n - sum(counts)
        # Failures are one more kind: its probability to be among the drawn is subtracted again.
        values.append(expected_distinct([*counts, num_failures], k) - pass_at_k(n, num_failures, k))
    return values
