import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from ntp.evaluation.metrics import (
    bootstrap_mean,
    bootstrap_ratio,
    distinct_counts,
    entropy,
    expected_distinct,
    first_tactic_entropy,
    length_histogram,
    mcnemar,
    mean_pass_at_k,
    pass_at_k,
    rarefied_distinct,
    total_distinct,
)
from ntp.evaluation.results import Proof, SampledProof, TheoremOutcome


@pytest.mark.parametrize("n", [1, 2, 5, 7])
def test_pass_at_k_is_the_mean_over_all_subsets(n):
    for c in range(n + 1):
        for k in range(1, n + 1):
            subsets = list(combinations(range(n), k))
            hits = sum(any(sample < c for sample in subset) for subset in subsets)
            assert pass_at_k(n, c, k) == pytest.approx(hits / len(subsets), abs=1e-12)


@pytest.mark.parametrize(("n", "c", "k"), [(3, 4, 1), (3, -1, 1), (3, 1, 0), (3, 1, 4)])
def test_pass_at_k_refuses_impossible_counts(n, c, k):
    with pytest.raises(ValueError, match="pass@k needs"):
        pass_at_k(n, c, k)


def test_pass_at_k_is_over_all_requested_theorems(result_of):
    results = [
        result_of("a", successes=[True, False, False, False]),
        result_of("b", successes=[True, True]),  # its budget ran out: two samples are missing
        result_of("c", outcome=TheoremOutcome.INIT_ERROR),
    ]
    assert mean_pass_at_k(results, 1) == pytest.approx((1 / 4 + 2 / 4 + 0) / 3)
    assert mean_pass_at_k(results, 2) == pytest.approx((1 - 3 / 6 + 1 - 1 / 6 + 0) / 3)
    assert mean_pass_at_k(results, 5) is None


def test_pass_at_k_is_undefined_for_attempts_that_are_not_independent(result_of):
    assert mean_pass_at_k([result_of("a", successes=[True], independent=False)], 1) is None


def test_bootstrap_intervals_have_their_nominal_coverage_of_a_binomial():
    rng = np.random.default_rng(0)
    p, num_repeats = 0.3, 300
    covered = 0
    for repeat in range(num_repeats):
        interval = bootstrap_mean((rng.random(120) < p).tolist(), seed=repeat, num_resamples=1000)
        covered += interval.low <= p <= interval.high
    # 0.95 is nominal. Bootstrap intervals undercover a little, and three standard errors are 0.04.
    assert 0.89 <= covered / num_repeats <= 0.99


def test_bootstrap_agrees_with_the_normal_approximation_and_is_a_function_of_its_seed():
    values = [True] * 150 + [False] * 350
    interval = bootstrap_mean(values, seed=3)
    half_width = 1.96 * math.sqrt(0.3 * 0.7 / 500)
    assert interval.value == pytest.approx(0.3)
    assert interval.low == pytest.approx(0.3 - half_width, abs=0.006)
    assert interval.high == pytest.approx(0.3 + half_width, abs=0.006)
    assert bootstrap_mean(values, seed=3) == interval


def test_bootstrap_of_a_constant_has_no_width():
    interval = bootstrap_mean([1.0] * 5)
    assert (interval.value, interval.low, interval.high) == (1.0, 1.0, 1.0)


def test_bootstrap_ratio_is_paired():
    first, second = [3, 0, 6, 9], [1, 0, 2, 3]
    interval = bootstrap_ratio(first, second)
    # Every theorem has ratio 3, so paired resamples vary only if they have no theorem with a proof.
    assert (interval.value, interval.high) == (3.0, 3.0)
    assert bootstrap_ratio([1, 2], [0, 0]).value == math.inf
    assert bootstrap_ratio([0, 0], [0, 0]).value == 1.0
    with pytest.raises(ValueError, match="paired"):
        bootstrap_ratio([1], [1, 2])


@pytest.mark.parametrize(("b", "c"), [(0, 0), (1, 0), (2, 9), (9, 2), (5, 5), (0, 12)])
def test_mcnemar_is_the_exact_binomial_test(b, c):
    concordant = [(True, True)] * 4 + [(False, False)] * 3
    pairs = [(True, False)] * b + [(False, True)] * c + concordant
    test = mcnemar([p for p, _ in pairs], [q for _, q in pairs])
    n = b + c
    # Two-sided: the total chance of the outcomes at most as likely as the observed one.
    chances = [math.comb(n, i) / 2**n for i in range(n + 1)]
    expected = sum(chance for chance in chances if chance <= chances[b] + 1e-15)
    assert (test.num_only_first, test.num_only_second) == (b, c)
    assert test.p_value == pytest.approx(expected)


def test_entropy():
    assert entropy([]) == 0.0
    assert entropy(["a"] * 7) == 0.0
    assert entropy("abcd") == pytest.approx(math.log(4))
    assert entropy("aab") == pytest.approx(-(2 / 3) * math.log(2 / 3) - (1 / 3) * math.log(1 / 3))


def test_first_tactic_entropy_averages_over_theorems_with_attempts(result_of):
    results = [result_of("a", successes=[False] * 4), result_of("b", successes=[False]), result_of("c")]
    assert first_tactic_entropy(results) == pytest.approx((math.log(4) + 0.0) / 2)
    assert first_tactic_entropy([result_of("a", successes=[True], independent=False)]) is None


def test_distinct_proof_terms(result_of):
    def proof(tactic, term):
        return Proof((tactic,), ("r",), -1.0, 0, True, minimal=(tactic,), term=term)

    known = result_of(
        "a", proofs=[proof("auto", "t1"), proof("easy", "t1"), proof("lia", ""), proof("x", "t2")]
    )
    unknown = result_of("b", proofs=[proof("auto", ""), proof("easy", "")])
    nothing = result_of("c")
    counts = [distinct_counts(result).terms for result in (known, unknown, nothing)]
    assert counts == [3, None, 0], "a proof whose term is unknown is counted by its script"
    assert total_distinct([known, unknown, nothing]).terms == 5
    assert total_distinct([unknown, nothing]).terms is None
    assert total_distinct([nothing]).terms == 0


def test_expected_distinct_by_enumeration():
    individuals = "aaabbc"
    for num_drawn in range(7):
        draws = list(combinations(individuals, num_drawn))
        expected = sum(len(set(draw)) for draw in draws) / len(draws)
        assert expected_distinct([3, 2, 1], num_drawn) == pytest.approx(expected)
    with pytest.raises(ValueError, match="cannot draw 7 of 6"):
        expected_distinct([3, 2, 1], 7)


def test_rarefied_distinct_is_among_equally_many_successes(result_of):
    def solved(name, scripts):
        proofs = [
            Proof((s,), ("r",), -1.0, i, True, minimal=(s.lower(),))
            for i, s in enumerate(dict.fromkeys(scripts))
        ]
        attempts = tuple(SampledProof(i, (s,), "proved", -1.0) for i, s in enumerate(scripts))
        return replace(result_of(name, proofs=proofs), attempts=attempts)

    many, few = solved("t", "aAabbbcc"), solved("t", "xy")
    assert rarefied_distinct(many, few) == (pytest.approx(expected_distinct([3, 3, 2], 2)), 2.0)
    assert rarefied_distinct(many, result_of("t")) == (0.0, 0.0)


def test_distinct_proofs_are_counted_three_ways(result_of):
    def proof(tactics, states, minimal, verified=True):
        return Proof(tuple(tactics), tuple(states), -1.0, 0, verified, minimal=tuple(minimal))

    result = result_of(
        "a",
        proofs=[
            proof(["auto"], "r", ["auto"]),
            proof(["easy"], "r", ["easy"]),
            proof(["idtac", "auto"], "rr", ["auto"]),
            proof(["cbn", "auto"], "rs", ["cbn", "auto"]),
            proof(["Proof cheat"], "x", [], verified=False),
        ],
    )
    counts = distinct_counts(result)
    assert (counts.minimal, counts.raw, counts.modulo_states) == (3, 4, 3)
    assert counts.terms is None, "no prover has printed a term"
    assert length_histogram([result, result]) == {1: 2, 2: 1}
