import math

import pytest

from ntp.evaluation.comparison import compare, comparison_rows, flat_comparison


def test_comparison_counts_ratios_and_discordant_theorems(result_of):
    sft = [result_of(n, "sft", successes=s) for n, s in [("a", [1]), ("b", [0]), ("c", [1]), ("d", [0])]]
    gfn = [result_of(n, "gfn", successes=s) for n, s in [("a", [1, 1]), ("b", [1]), ("c", [1]), ("d", [1])]]
    comparison = compare(gfn, sft)
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
    comparison = compare([result_of("a", "gfn", successes=[1])], [result_of("a", "sft", successes=[0])])
    assert comparison.solved.value == math.inf
    assert all(math.isfinite(value) for value in flat_comparison(comparison).values())


def test_other_theorems_are_refused(result_of):
    with pytest.raises(ValueError, match="same theorems"):
        compare([result_of("a")], [result_of("b")])
