import re

import pytest

from ntp.evaluation.verifier_report import best_of_k_plot, cell, flat, markdown

RUNS = {
    "backbone": [{"auroc": 0.5, "at_1": 0.25, "at_2": 0.3}],
    "ensemble": [
        {"auroc": 0.8, "at_1": 0.25, "at_2": 0.5, "head_correlation": 0.9},
        {"auroc": 0.6, "at_1": 0.25, "at_2": 0.4, "head_correlation": 0.7},
    ],
}


def test_cells_have_the_mean_and_the_range_of_seeds():
    text = markdown("title", RUNS)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert rows[0] == "| method | auroc | at_1 | at_2 | head_correlation |"
    assert rows[2] == "| backbone | 0.500 | 0.250 | 0.300 | - |"
    assert rows[3].startswith("| ensemble | 0.700 [0.600, 0.800] | 0.250 [0.250, 0.250] |")
    assert cell([]) == "-"


def test_summary_is_the_mean_over_seeds():
    assert flat(RUNS)["ensemble/auroc"] == pytest.approx(0.7)
    assert flat(RUNS)["backbone/at_2"] == 0.3
    assert flat({"new": [{"auroc": 0.5}, {"auroc": 0.7, "at_2": 1.0}]})["new/at_2"] == 1.0


def test_plot_has_a_line_for_every_method():
    svg = best_of_k_plot(RUNS)
    assert svg.startswith("<svg")
    assert all(re.search(rf">{name}<", svg) for name in RUNS)
