"""Metrics of the results of an evaluation. Every rate is over all requested theorems."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest, bootstrap

from ntp.evaluation.results import TheoremOutcome, TheoremResult
from ntp.types import Interval

# Indices of resampled theorems in memory at once: BCa's jackknife uses N (N - 1) of them for N theorems.
_MAX_INDICES = 10_000_000


@dataclass(frozen=True, slots=True)
class DistinctCounts:
    """Numbers of distinct accepted proofs.

    Attributes:
        minimal: Distinct minimal scripts.
        raw: Distinct scripts as found.
        modulo_states: Distinct sequences of proof states.
        terms: Distinct kernel proof terms; proofs whose term is unknown are counted by their minimal scripts.
            None if no term is known.
    """

    minimal: int
    raw: int
    modulo_states: int
    terms: int | None


@dataclass(frozen=True, slots=True)
class PairedTest:
    """Exact McNemar test: theorems that only one of two methods solved, and the two-sided p-value."""

    num_only_first: int
    num_only_second: int
    p_value: float


def pass_at_k(n: int, c: int, k: int) -> float:
    """Unbiased estimate of the probability that at least one of k samples succeeds, from c successes in n.

    It is 1 - C(n - c, k) / C(n, k), equation 1 of Chen et al. 2021, Evaluating Large Language Models Trained
    on Code.

    Raises:
        ValueError: Unless 0 <= c <= n and 1 <= k <= n.
    """
    if not (0 <= c <= n and 1 <= k <= n):
        raise ValueError(f"pass@k needs 0 <= c <= n and 1 <= k <= n, got n={n}, c={c}, k={k}")
    return 1.0 - math.comb(n - c, k) / math.comb(n, k)


def pass_at_k_values(results: Sequence[TheoremResult], k: int) -> list[float] | None:
    """The pass@k of each theorem.

    n is the largest number of samples of a theorem. Missing samples (the theorem could not be opened, its
    budget ran out) count as failures.

    Returns:
        None where pass@k is not defined: the attempts are not independent samples, or are fewer than k.
    """
    n = max((len(result.attempts) for result in results), default=0)
    if k > n or not all(result.independent for result in results):
        return None
    return [pass_at_k(n, result.num_successes, k) for result in results]


def mean_pass_at_k(results: Sequence[TheoremResult], k: int) -> float | None:
    """Mean of `pass_at_k_values` over all theorems; None where it is not defined."""
    values = pass_at_k_values(results, k)
    return None if values is None else float(np.mean(values))


def is_solved(result: TheoremResult) -> bool:
    """Whether the kernel accepted a proof of the theorem."""
    return result.outcome == TheoremOutcome.PROVED


def bootstrap_mean(
    values: Sequence[float], seed: int = 0, level: float = 0.95, num_resamples: int = 2000
) -> Interval:
    """Mean of one value per theorem, with its BCa bootstrap interval (Efron 1987) over theorems.

    Raises:
        ValueError: There are no values.
    """
    if len(values) == 0:
        raise ValueError("the mean of no theorems is not defined")
    return _bootstrap((np.asarray(values, dtype=float),), np.mean, seed, level, num_resamples)


def bootstrap_difference(
    first: Sequence[float],
    second: Sequence[float],
    seed: int = 0,
    level: float = 0.95,
    num_resamples: int = 2000,
) -> Interval:
    """Mean of first - second over the same theorems, with its paired BCa bootstrap interval.

    Raises:
        ValueError: The lengths differ or are 0.
    """
    pairs = _paired(first, second)
    return bootstrap_mean(list(pairs[0] - pairs[1]), seed, level, num_resamples)


def bootstrap_ratio(
    first: Sequence[float],
    second: Sequence[float],
    seed: int = 0,
    level: float = 0.95,
    num_resamples: int = 2000,
) -> Interval:
    """sum(first) / sum(second) over the same theorems, with its paired BCa bootstrap interval.

    With a denominator of 0 the ratio is infinite, or 1 where the numerator is 0 too.

    Raises:
        ValueError: The lengths differ or are 0.
    """
    return _bootstrap(_paired(first, second), _ratio_of_sums, seed, level, num_resamples)


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> PairedTest:
    """Exact two-sided McNemar test of the hypothesis that two methods solve equally many theorems.

    It is the binomial test against 1/2 of the numbers of theorems that only one of the two solves.

    Raises:
        ValueError: The lengths differ.
    """
    pairs = Counter(zip(first, second, strict=True))
    b, c = pairs[True, False], pairs[False, True]
    p_value = float(binomtest(b, b + c).pvalue) if b + c else 1.0
    return PairedTest(b, c, p_value)


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
        None where there are no independent samples to measure it on.
    """
    firsts = [
        [attempt.tactics[0] for attempt in result.attempts if attempt.tactics]
        for result in results
        if result.independent
    ]
    entropies = [entropy(tactics) for tactics in firsts if tactics]
    return float(np.mean(entropies)) if entropies else None


def distinct_counts(result: TheoremResult) -> DistinctCounts:
    """Numbers of distinct accepted proofs of one theorem."""
    proofs = result.verified_proofs
    is_known = not proofs or any(proof.term for proof in proofs)
    return DistinctCounts(
        minimal=len({proof.minimal for proof in proofs}),
        raw=len({proof.tactics for proof in proofs}),
        modulo_states=len({proof.states for proof in proofs}),
        terms=len({proof.term or proof.minimal for proof in proofs}) if is_known else None,
    )


def total_distinct(results: Iterable[TheoremResult]) -> DistinctCounts:
    """Numbers of distinct accepted proofs, summed over theorems."""
    results = list(results)
    counts = [distinct_counts(result) for result in results]
    is_known = any(proof.term for result in results for proof in result.verified_proofs)
    terms = sum(count.minimal if count.terms is None else count.terms for count in counts)
    return DistinctCounts(
        minimal=sum(count.minimal for count in counts),
        raw=sum(count.raw for count in counts),
        modulo_states=sum(count.modulo_states for count in counts),
        terms=terms if is_known or not terms else None,
    )


def expected_distinct(counts: Iterable[int], num_drawn: int) -> float:
    """Expected number of different kinds among `num_drawn` individuals drawn without replacement.

    Rarefaction (Hurlbert 1971, The Nonconcept of Species Diversity, equation 17): the sum over kinds of
    1 - C(N - n_i, m) / C(N, m), with n_i individuals of kind i, N in all, and m drawn.

    Args:
        counts: Individuals of each kind, n_i.
        num_drawn: m.

    Raises:
        ValueError: More are drawn than there are.
    """
    counts = list(counts)
    total = sum(counts)
    if not 0 <= num_drawn <= total:
        raise ValueError(f"cannot draw {num_drawn} of {total}")
    return sum(1.0 - math.comb(total - count, num_drawn) / math.comb(total, num_drawn) for count in counts)


def rarefied_distinct(first: TheoremResult, second: TheoremResult) -> tuple[float, float]:
    """Expected distinct minimal proofs of two methods among equally many successes on one theorem.

    As many successes as the method with fewer of them has; (0, 0) unless both have some. A method that
    succeeds more often has more chances to be different, which this takes out of the comparison.
    """
    counts = [result.successes_by_script for result in (first, second)]
    num_drawn = min(count.total() for count in counts)
    one, other = (expected_distinct(count.values(), num_drawn) for count in counts)
    return one, other


def length_histogram(results: Iterable[TheoremResult]) -> dict[int, int]:
    """Number of distinct minimal proofs by length in tactics, shortest first."""
    scripts = {(result.theorem, proof.minimal) for result in results for proof in result.verified_proofs}
    return dict(sorted(Counter(len(script) for _, script in scripts).items()))


def _paired(first: Sequence[float], second: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    if len(first) != len(second) or len(first) == 0:
        raise ValueError(f"a paired comparison needs equally many values, got {len(first)} and {len(second)}")
    return np.asarray(first, dtype=float), np.asarray(second, dtype=float)


def _bootstrap(
    samples: tuple[np.ndarray, ...],
    statistic: Callable[..., Any],
    seed: int,
    level: float,
    num_resamples: int,
) -> Interval:
    """A statistic of paired samples, with its interval over theorems."""
    value = float(statistic(*samples, axis=0))
    num_theorems = len(samples[0])
    if num_theorems == 1:  # scipy needs two observations
        return Interval(value, value, value)
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore")  # scipy warns about degenerate distributions, which are handled below
        result = bootstrap(
            samples,
            statistic,
            paired=True,
            vectorized=True,
            confidence_level=level,
            n_resamples=num_resamples,
            batch=max(1, _MAX_INDICES // num_theorems),
            rng=np.random.default_rng(seed),
            method="BCa",
        )
    low, high = result.confidence_interval
    if math.isnan(low) or math.isnan(high):
        # BCa is undefined where all resamples are equal, or some infinite. Percentiles are defined; where all
        # resamples are equal, they are the estimate itself.
        tail = (1 - level) / 2
        distribution = result.bootstrap_distribution
        low, high = np.quantile(distribution, [tail, 1 - tail], method="inverted_cdf")
    return Interval(value, float(low), float(high))


def _ratio_of_sums(first: np.ndarray, second: np.ndarray, axis: int = -1) -> np.ndarray:
    numerator, denominator = first.sum(axis=axis), second.sum(axis=axis)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = numerator / denominator
    return np.where(denominator > 0, ratio, np.where(numerator > 0, np.inf, 1.0))
