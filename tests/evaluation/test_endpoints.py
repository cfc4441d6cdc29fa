import itertools
import json
import math
from dataclasses import replace

import numpy as np
import pytest

from ntp.evaluation.arms import Arm, arms_of
from ntp.evaluation.endpoints import (
    beyond_one_shot,
    curve_rows,
    distinct_at_k_values,
    endpoints,
    hierarchical_ratio,
    holm,
)
from ntp.evaluation.report import build_report, markdown, page, summary_metrics


def test_holm_by_hand():
    # Smallest first: 3 * .01, 2 * .02, and the third no less than the second.
    assert holm([0.03, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_ratio_is_that_of_sums_averaged_over_seeds():
    first, second = np.array([[1.0, 2.0, 0.0], [3.0, 2.0, 0.0]]), np.array([[1.0, 1.0, 0.0]])
    ratio, _ = hierarchical_ratio(first, second, ["a", "b", "b"], seed=0, num_resamples=200, paired=False)
    assert ratio.value == 2.0 and ratio.low <= 2.0 <= ratio.high


def test_without_any_success_arms_are_equal():
    zeros = np.zeros((2, 3))
    ratio, p_value = hierarchical_ratio(zeros, zeros, ["a", "b", "b"], seed=0, num_resamples=100)
    assert (ratio.value, ratio.low, ratio.high, p_value) == (1.0, 1.0, 1.0, 1.0)


def test_one_seed_or_one_file_has_no_p_value():
    one, two = np.ones((1, 4)), np.ones((2, 4))
    assert hierarchical_ratio(2 * one, one, list("abcd"), seed=0, num_resamples=50)[1] is None
    assert hierarchical_ratio(2 * two, two, list("aaaa"), seed=0, num_resamples=50)[1] is None
    assert hierarchical_ratio(2 * two, two, list("abcd"), seed=0, num_resamples=50)[1] < 0.05


def test_few_seeds_do_not_make_a_difference_of_noise():
    """Arms without an effect, three seeds that differ by a fifth: about one in twenty has p < .05."""
    draw = np.random.default_rng(0)
    files = [str(i // 6) for i in range(360)]
    found = []
    for number in range(150):
        means = 0.3 * (1 + 0.2 * draw.standard_normal((2, 3, 1))).clip(0.1)
        first, second = draw.poisson(np.broadcast_to(means, (2, 3, 360))).astype(float)
        found.append(hierarchical_ratio(first, second, files, seed=number, num_resamples=200)[1] < 0.05)
    assert np.mean(found) < 0.12


def test_files_and_seeds_are_what_is_resampled():
    """A difference in one file or in one seed may be missing from a resample, whatever its theorems."""
    base = np.ones((3, 40))
    in_one_file, in_one_seed, everywhere = base.copy(), base.copy(), 2 * base
    in_one_file[:, :20] = 2.0
    in_one_seed[0] = 2.0
    for values, files, includes_one in (
        (in_one_file, ["a"] * 20 + ["b"] * 20, True),
        (in_one_file, list(map(str, range(40))), False),
        (in_one_seed, list(map(str, range(40))), True),
        (everywhere, ["a"] * 20 + ["b"] * 20, False),
    ):
        ratio, p_value = hierarchical_ratio(values, base, files, seed=1, num_resamples=1000)
        assert (ratio.low <= 1.0) == includes_one
        assert (p_value > 0.05) == includes_one


def test_paired_seeds_share_their_resamples():
    """Where every seed of both arms shifts alike, their ratio has no variance over seeds."""
    level = np.array([[1.0], [2.0], [30.0]]) * np.ones((3, 10))
    ratio, _ = hierarchical_ratio(3 * level, level, list(map(str, range(10))), seed=0, num_resamples=300)
    assert (ratio.low, ratio.high) == (3.0, 3.0)


def test_distinct_proofs_among_k_samples_by_enumeration(result_of):
    result = result_of("t", "m", successes=[1, 1, 1, 0, 0])
    first, second, *others = result.attempts
    result = replace(result, attempts=(first, replace(second, tactics=first.tactics), *others))
    kinds = list(result.successes_by_script.elements()) + [None] * 2
    assert len(kinds) == 5 and len(result.successes_by_script) == 2
    for k in range(1, 6):
        drawn = [len(set(some) - {None}) for some in itertools.combinations(kinds, k)]
        assert distinct_at_k_values([result], k) == [pytest.approx(np.mean(drawn))]
    assert distinct_at_k_values([result], 6) is None


def groups_of(result_of, **runs):
    return {
        name.replace("_at_", "@"): [
            replace(result_of(f"t{i}", name.replace("_at_", "@"), successes=row), file=f"{i // 2}.v")
            for i, row in enumerate(rows)
        ]
        for name, rows in runs.items()
    }


@pytest.fixture
def groups(result_of):
    many = [1] * 32
    none = [0] * 32
    return groups_of(
        result_of,
        one_shot=[[1], [0], [0], [0]],
        gfn_at_0=[many, many, many, none],
        gfn_at_1=[many, many, none, none],
        sft_at_0=[many, many, none, none],
        sft_at_1=[none, many, none, none],
    )


def test_theorems_that_a_one_shot_tactic_proves_do_not_count(groups):
    kept_N = beyond_one_shot(groups)
    assert kept_N.tolist() == [False, True, True, True]
    arms = arms_of(groups)
    solved, distinct = endpoints([(arms["gfn"], arms["sft"])], kept_N, seed=0, num_resamples=100)
    assert (solved.name, solved.ratio.value, distinct.ratio.value) == ("solved@32", 1.5, 1.5)
    assert solved.adjusted >= solved.p_value
    header, rows = curve_rows([arms["gfn"]], kept_N)
    assert rows[0][:2] == ["gfn", "solved"] and rows[0][header.index("32")] == "1.5"
    assert rows[0][header.index("64")] == "-" and rows[1][header.index("1")] == "1.5"


def test_seeds_are_paired_by_their_name_and_one_shot_tactics_are_no_arm(groups):
    arms = arms_of(groups)
    reversed_runs = Arm("sft", dict(reversed(arms["sft"].runs.items())))
    kept_N = beyond_one_shot(groups)
    options = {"seed": 0, "num_resamples": 200}
    assert endpoints([(arms["gfn"], arms["sft"])], kept_N, **options) == endpoints(
        [(arms["gfn"], reversed_runs)], kept_N, **options
    )
    assert endpoints([(arms["one_shot"], arms["sft"])], kept_N, **options) == ()


def test_the_report_of_a_study_has_its_endpoints(groups):
    results = [result for group in groups.values() for result in group]
    report = build_report("study", results, "sft", seed=0, num_resamples=50)
    text = markdown(report)
    assert "## Beyond one-shot tactics: endpoints" in text and "gfn / sft" in text
    assert "p, Holm" in page(report)
    flat = summary_metrics(report)
    assert flat["gfn/beyond_solved_at_32_ratio_vs_sft"] == 1.5
    assert "one_shot/beyond_solved_at_32_ratio_vs_sft" not in flat
    assert all(math.isfinite(value) for value in flat.values()) and json.dumps(flat, allow_nan=False)
