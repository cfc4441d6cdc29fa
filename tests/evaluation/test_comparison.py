import math

import pytest

from ntp.evaluation.arms import arms_of
from ntp.evaluation.comparison import compare, comparison_rows, flat_comparison
from ntp.evaluation.metrics import bootstrap_difference, bootstrap_mean
from ntp.evaluation.report import build_report


@pytest.fixture
def compared(result_of):
    def make(method, baseline, **runs):
        """Compare two arms, given the successes on each theorem by the name of each method."""
        groups = {
            name.replace("_at_", "@"): [
                result_of(f"t{i}", name, successes=successes) for i, successes in enumerate(rows)
            ]
            for name, rows in runs.items()
        }
        arms = arms_of(groups)
        return compare(arms[method], arms[baseline])

    return make


def test_comparison_counts_ratios_and_discordant_theorems(compared):
    comparison = compared("gfn", "sft", gfn=[[1, 1], [1], [1], [1]], sft=[[1], [0], [1], [0]])
    assert comparison.difference == bootstrap_mean([0.0, 1.0, 0.0, 1.0])
    assert comparison.difference.value == 0.5
    assert (comparison.solved.value, comparison.distinct.value) == (2.0, 2.5)
    assert (comparison.test.num_only_first, comparison.test.num_only_second) == (2, 0)
    assert comparison.test.p_value == pytest.approx(0.5)
    header, [row] = comparison_rows([comparison])
    assert len(row) == len(header)
    assert row[:3] == ["gfn / sft", "1 / 1", "+50.0% [+0.0%, +100.0%]"]
    flat = flat_comparison(comparison)
    assert flat["gfn/distinct_ratio_vs_sft"] == 2.5
    assert flat["gfn/mcnemar_p_vs_sft"] == pytest.approx(0.5)


def test_seeds_are_averaged_theorem_by_theorem_and_mcnemar_needs_one_seed_each(compared):
    # gfn solves the first theorem with both seeds and the second with one of them.
    comparison = compared("gfn", "sft", gfn_at_0=[[1], [1]], gfn_at_1=[[1], [0]], sft=[[1], [0]])
    assert comparison.difference == bootstrap_difference([1.0, 0.5], [1.0, 0.0])
    assert (comparison.difference.value, comparison.solved.value, comparison.distinct.value) == (
        0.25,
        1.5,
        1.5,
    )
    assert comparison.num_seeds == (2, 1)
    assert comparison.test is None
    _, [row] = comparison_rows([comparison])
    assert row[1] == "2 / 1"
    assert row[-3:] == ["-", "-", "-"]
    assert "gfn/mcnemar_p_vs_sft" not in flat_comparison(comparison)


def test_equal_arms_differ_by_exactly_nothing(compared):
    difference = compared("gfn", "sft", gfn=[[1], [0], [1]], sft=[[1], [0], [1]]).difference
    assert (difference.value, difference.low, difference.high) == (0.0, 0.0, 0.0)


def test_infinite_ratios_are_not_in_the_flat_summary(compared):
    comparison = compared("gfn", "sft", gfn=[[1]], sft=[[0]])
    assert comparison.solved.value == math.inf
    assert all(math.isfinite(value) for value in flat_comparison(comparison).values())


def test_different_theorems_cannot_be_compared(result_of):
    arms = arms_of({"gfn": [result_of("a", "gfn")], "sft": [result_of("b", "sft")]})
    with pytest.raises(ValueError, match="gfn and sft do not have the same theorems"):
        compare(arms["gfn"], arms["sft"])


def test_every_arm_is_compared_with_the_baseline_and_requested_pairs_once(result_of):
    methods = ["gfn@0", "gfn@1", "sft", "ei@0", "ei@1"]
    results = [result_of(theorem, method, successes=[1]) for method in methods for theorem in "ab"]
    pairs = [("gfn", "ei"), ("gfn", "sft"), ("gfn", "ei")]
    report = build_report("study", results, "sft", 0, 500, comparisons=pairs)
    assert [(c.method, c.baseline) for c in report.comparisons] == [
        ("gfn", "sft"),
        ("ei", "sft"),
        ("gfn", "ei"),
    ]
