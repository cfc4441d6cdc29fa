"""Numbers over the results of an evaluation. Every rate is over all theorems asked for."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ntp.evaluation.results import TheoremOutcome, TheoremResult


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class DistinctCounts:
    """Distinct verified proofs: as irredundant scripts, as found, and modulo their state sequences."""

    irredundant: int
    raw: int
    modulo_states: int


@dataclass(frozen=True, slots=True)
class PairedTest:
    """Exact McNemar test: theorems that only one of two methods solved, and the two-sided p-value."""

    num_only_first: int
    num_only_second: int
    p_value: float


def pass_at_k(n: int, c: int, k: int) -> float:
    """Unbiased estimate of the chance that one of k samples succeeds, from c successes among n samples.

    1 - C(n - c, k) / C(n, k): Chen et al. 2021, Evaluating Large Language Models Trained on Code, eq. 1.

    Raises:
        ValueError: Unless 0 <= c <= n and 1 <= k <= n.
    """
    if not (0 <= c <= n and 1 <= k <= n):
        raise ValueError(f"pass@k needs 0 <= c <= n and 1 <= k <= n, got n={n}, c={c}, k={k}")
    return 1.0 - math.comb(n - c, k) / math.comb(n, k)


def mean_pass_at_k(results: Sequence[TheoremResult], k: int) -> float | None:
    """Mean of pass@k over all theorems asked for.

    n is the largest number of attempts on a theorem. Attempts that were not made (the theorem could not be
    opened, its budget ran out) count as failures.

    Returns:
        None when it is not defined: attempts that are not independent samples, or fewer than k of them.
    """
    n = max((len(result.attempts) for result in results), default=0)
    if k > n or not all(result.independent for result in results):
        return None
    return float(np.mean([pass_at_k(n, result.num_successes, k) for result in results]))


def is_solved(result: TheoremResult) -> bool:
    """Whether the kernel accepted a proof of the theorem."""
    return result.outcome == TheoremOutcome.PROVED


def bootstrap_mean(
    values: Sequence[float], seed: int = 0, level: float = 0.95, num_resamples: int = 2000
) -> Interval:
    """Mean of one value per theorem, with its percentile bootstrap interval (Efron 1979) over theorems.

    Raises:
        ValueError: There are no values.
    """
    if len(values) == 0:
        raise ValueError("no theorems to average over")
    values_N = np.asarray(values, dtype=float)
    means = _resample(values_N[:, None], seed, num_resamples)[:, 0]
    return _percentile_interval(float(values_N.mean()), means, level)


def bootstrap_ratio(
    first: Sequence[float],
    second: Sequence[float],
    seed: int = 0,
    level: float = 0.95,
    num_resamples: int = 2000,
) -> Interval:
    """sum(first) / sum(second) over the same theorems, with its paired percentile bootstrap interval.

    A denominator of 0 makes a ratio infinite, or 1 when the numerator is 0 too.

    Raises:
        ValueError: The lengths differ or are 0.
    """
    if len(first) != len(second) or len(first) == 0:
        raise ValueError(f"paired values needed, got {len(first)} and {len(second)}")
    pairs_N2 = np.column_stack([np.asarray(first, dtype=float), np.asarray(second, dtype=float)])
    means = _resample(pairs_N2, seed, num_resamples)
    value = _ratio(pairs_N2.sum(axis=0)[None, :])[0]
    return _percentile_interval(float(value), _ratio(means), level)


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> PairedTest:
    """Exact two-sided McNemar test that two methods solve the same theorems equally often.

    p = min(1, 2 P(X <= min(b, c))), X ~ Binomial(b + c, 1/2), with b and c the discordant counts.

    Raises:
        ValueError: The lengths differ.
    """
    pairs = Counter(zip(first, second, strict=True))
    b, c = pairs[True, False], pairs[False, True]
    tail = sum(math.comb(b + c, i) for i in range(min(b, c) + 1))
    return PairedTest(b, c, min(1.0, 2 * tail / 2 ** (b + c)))


def entropy(items: Iterable[str]) -> float:
    """Plug-in entropy of the empirical distribution of `items`, in nats; 0 when there are none."""
    counts = np.array(list(Counter(items).values()), dtype=float)
    if counts.size == 0:
        return 0.0
    p = counts / counts.sum()
    return float(-(p * np.log(p)).sum()) + 0.0


def first_tactic_entropy(results: Sequence[TheoremResult]) -> float | None:
    """Entropy of the sampled first tactics, in nats, averaged over the theorems that have any.

    Returns:
        None when there are no independent attempts to measure it on.
    """
    firsts = [
        [attempt.tactics[0] for attempt in result.attempts if attempt.tactics]
        for result in results
        if result.independent
    ]
    entropies = [entropy(tactics) for tactics in firsts if tactics]
    return float(np.mean(entropies)) if entropies else None


def distinct_counts(result: TheoremResult) -> DistinctCounts:
    """Distinct verified proofs of one theorem, counted three ways."""
    proofs = result.verified_proofs
    return DistinctCounts(
        irredundant=len({proof.irredundant for proof in proofs}),
        raw=len({proof.tactics for proof in proofs}),
        modulo_states=len({proof.states for proof in proofs}),
    )


def total_distinct(results: Iterable[TheoremResult]) -> DistinctCounts:
    """Distinct verified proofs, summed over theorems."""
    counts = [distinct_counts(result) for result in results]
    return DistinctCounts(
        irredundant=sum(count.irredundant for count in counts),
        raw=sum(count.raw for count in counts),
        modulo_states=sum(count.modulo_states for count in counts),
    )


def length_histogram(results: Iterable[TheoremResult]) -> dict[int, int]:
    """Number of distinct irredundant proofs by their number of tactics, shortest first."""
    scripts = {(result.theorem, proof.irredundant) for result in results for proof in result.verified_proofs}
    return dict(sorted(Counter(len(script) for _, script in scripts).items()))


def _resample(values_ND: np.ndarray, seed: int, num_resamples: int) -> np.ndarray:
    """Means over theorems drawn with replacement, (num_resamples, D)."""
    rng, num_theorems = np.random.default_rng(seed), len(values_ND)
    return np.array(
        [values_ND[rng.integers(num_theorems, size=num_theorems)].mean(axis=0) for _ in range(num_resamples)]
    )


def _ratio(pairs: np.ndarray) -> np.ndarray:
    numerator, denominator = pairs[:, 0], pairs[:, 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = numerator / denominator
    return np.where(denominator > 0, ratio, np.where(numerator > 0, np.inf, 1.0))


def _percentile_interval(value: float, resampled: np.ndarray, level: float) -> Interval:
    tail = (1 - level) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail], method="inverted_cdf")
    return Interval(value, float(low), float(high))
