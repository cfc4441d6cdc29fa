import re

import pytest

from ntp.evaluation.overoptimisation import KL, PROXY, TRUTH, Curve, flat, gaps, markdown, plot


def curve(*values):
    return Curve(tuple(range(len(values))), values)


def run(proxy_end, truth_end):
    return {
        PROXY: curve(0.2, *[0.5] * 8, proxy_end, proxy_end),
        TRUTH: curve(0.1, *[0.3] * 8, truth_end, truth_end),
        KL: curve(*[0.0] * 9, 2.0, 4.0),
    }


CURVES = {"single": [run(0.9, 0.1), run(0.7, 0.1)], "wco": [run(0.4, 0.2), run(0.3, 0.2)]}


def test_ends_are_means_over_a_fifth_of_the_steps():
    assert curve(*range(10)).begin == 0.5
    assert curve(*range(10)).end == 8.5
    assert curve(3.0).begin == curve(3.0).end == 3.0


def test_gap_is_proxy_minus_kernel_at_the_end_of_every_seed():
    assert gaps(CURVES) == {
        "single": pytest.approx([0.8, 0.6]),
        "wco": pytest.approx([0.2, 0.1]),
    }
    summary = flat(CURVES)
    assert summary["single/gap"] == pytest.approx(0.7)
    assert summary["single/kl_end"] == pytest.approx(3.0)
    assert summary["wco/proxy_begin"] == pytest.approx((0.2 + 0.5) / 2)


def test_table_and_plot_name_every_variant():
    text, svg = markdown("title", CURVES), plot(CURVES)
    assert "| single | 0.350 [0.350, 0.350] | 0.800 [0.700, 0.900] |" in text
    assert "| 0.700 [0.600, 0.800] |" in text
    assert all(re.search(rf">{name}<", svg) for name in CURVES)
