import math

import pytest

from ntp.errors import ConfigError
from ntp.evaluation.comparison import arms_of, compare, comparison_rows, flat_comparison
from ntp.evaluation.report import build_report, markdown, summary_metrics


def compared(method, baseline):
    arms = arms_of({method[0].method: method, baseline[0].method: baseline})
    return compare(*arms.values())


def test_comparison_counts_ratios_and_discordant_theorems(result_of):
    sft = [result_of(n, "sft", successes=s) for n, s in [("a", [1]), ("b", [0]), ("c", [1]), ("d", [0])]]
    gfn = [result_of(n, "gfn", successes=s) for n, s in [("a", [1, 1]), ("b", [1]), ("c", [1]), ("d", [1])]]
    comparison = compared(gfn, sft)
    assert comparison.difference.value == 0.5
    assert (comparison.solved.value, comparison.distinct.value) == (2.0, 2.5)
    assert (comparison.test.num_only_first, comparison.test.num_only_second) == (2, 0)
    assert comparison.test.p_value == pytest.approx(0.5)
    header, [row] = comparison_rows([comparison])
    assert len(row) == len(header)
    assert row[0] == "gfn / sft"
    flat = flat_comparison(comparison)
    assert flat["gfn/distinct_ratio_vs_sft"] == 2.5
    assert flat["gfn/mcnemar_p_vs_sft"] == pytest.approx(0.5)


def test_infinite_ratios_are_not_in_the_flat_summary(result_of):
    comparison = compared([result_of("a", "gfn", successes=[1])], [result_of("a", "sft", successes=[0])])
    assert comparison.solved.value == math.inf
    assert all(math.isfinite(value) for value in flat_comparison(comparison).values())


def test_other_theorems_are_refused(result_of):
    with pytest.raises(ValueError, match="same theorems"):
        compared([result_of("a", "one")], [result_of("b", "other")])


def test_seeds_of_an_arm_are_averaged_and_any_two_arms_compared(result_of):
    """Theorems a, b: gfn solves a with both seeds and b with one; sft solves a; ei solves neither."""
    solved = {"gfn@0": "ab", "gfn@1": "a", "sft": "a", "ei@0": "", "ei@1": ""}
    results = [
        result_of(theorem, method, successes=[theorem in found])
        for method, found in solved.items()
        for theorem in "ab"
    ]
    report = build_report("study", results, "sft", 0, 500, [("gfn", "ei")])
    by_pair = {(c.method, c.baseline): c for c in report.comparisons}
    assert set(by_pair) == {("gfn", "sft"), ("ei", "sft"), ("gfn", "ei")}
    gfn = by_pair["gfn", "sft"]
    assert (gfn.difference.value, gfn.solved.value, gfn.distinct.value) == (0.25, 1.5, 1.5)
    assert gfn.num_seeds == (2, 1) and gfn.test is None
    assert by_pair["gfn", "ei"].difference.value == 0.75
    flat = summary_metrics(report)
    assert flat["gfn/solved_rate"] == 0.75 and flat["gfn/num_seeds"] == 2 and flat["gfn@1/solved_rate"] == 0.5
    assert "| gfn | 2 | 75.0% [" in markdown(report) and "50.0% to 100.0%" in markdown(report)
    with pytest.raises(ConfigError, match="no arm gnf; there are gfn, sft, ei"):
        build_report("study", results, None, 0, 500, [("gnf", "sft")])
