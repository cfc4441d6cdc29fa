import math

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from ntp.errors import DataError
from ntp.evaluation.alignment_report import markdown, page
from ntp.formalization.alignment.analysis import (
    correlation,
    difference_of_r2,
    partial_correlation,
    predict,
    vocabulary_overlap,
)
from ntp.formalization.alignment.study import MEASURES, ConditionResult, analyse, flat

DRAW = np.random.default_rng(0)
X, NOISE, Z = DRAW.normal(size=(3, 40))


def test_correlation_is_scipys():
    y = X + NOISE
    assert correlation(X, y) == pytest.approx(pearsonr(X, y).statistic)
    found = predict(X, y, [Z], "test")
    assert found.r2.value == pytest.approx(pearsonr(X, y).statistic ** 2)
    assert found.spearman == pytest.approx(spearmanr(X, y).statistic)
    assert found.r2.low < found.r2.value < found.r2.high


def test_a_constant_has_no_correlation():
    assert math.isnan(correlation(X, np.full(40, 0.1)))


def test_partial_correlation_is_the_formula_for_one_control():
    x, y = X + Z, NOISE + 2 * Z
    xy, xz, yz = (pearsonr(a, b).statistic for a, b in ((x, y), (x, Z), (y, Z)))
    expected = (xy - xz * yz) / math.sqrt((1 - xz**2) * (1 - yz**2))
    assert partial_correlation(x, y, [Z]) == pytest.approx(expected)
    assert math.isnan(partial_correlation(x, 3 * Z + 1, [Z]))


def test_the_interval_of_r2_holds_the_truth():
    """x and x + noise of the same size have r^2 = 1/2; an interval of 40 points covers it mostly."""
    draw = np.random.default_rng(1)
    covered = 0
    for i in range(60):
        x, noise = draw.normal(size=(2, 40))
        found = predict(x, x + noise, [draw.normal(size=40)], str(i)).r2
        covered += found.low <= 0.5 <= found.high
    assert covered >= 51


def test_difference_of_r2_knows_the_better_predictor():
    y = X + 0.2 * NOISE
    assert difference_of_r2(X, Z, y, "test").low > 0.5
    assert difference_of_r2(X, X, y, "test").high == 0


def test_overlap_counts_words_of_the_target():
    assert vocabulary_overlap(["a b", "c"], ["a d", "a"]) == pytest.approx(2 / 3)
    assert vocabulary_overlap(["a"], []) == 0


def results(num=8):
    draw = np.random.default_rng(2)
    found = []
    for i in range(num):
        noise = dict(zip(MEASURES[1:], draw.normal(size=4), strict=True))
        measures = {f"{kind}/{m}": float(v) for kind in ("alignment", "diversity") for m, v in noise.items()}
        measures |= {
            "alignment/task2vec": i / num,
            "diversity/task2vec": draw.random(),
            "overlap": draw.random(),
        }
        outcomes = {"zero_shot/loss": [5 - i / num, 5.1 - i / num], "adapted/type_check": [0.0, 0.0]}
        name = "<script>" if i == 0 else f"condition {i}"
        found.append(ConditionResult(name, measures, 100 + int(draw.integers(900)), outcomes))
    return found


def test_a_study_finds_what_predicts():
    study = analyse(results())
    found = study.predictions["zero_shot/loss"]
    assert found["alignment/task2vec"].r == pytest.approx(-1)
    assert found["alignment/task2vec"].r2.value > max(found[f"alignment/{m}"].r2.value for m in MEASURES[1:])
    summary = flat(study)
    assert summary["num_conditions"] == 8
    assert summary["zero_shot/loss/alignment/task2vec/r2"] == pytest.approx(1)
    assert not any(math.isnan(value) for value in summary.values())
    assert "adapted/type_check/alignment/task2vec/r2" not in summary  # a constant outcome


def test_the_report_has_every_number_and_escapes_names():
    study = analyse(results())
    text, html = markdown("study", study), page("study", study)
    for part in (text, html):
        assert "condition 7" in part
        assert "What predicts zero_shot/loss" in part
    assert html.count("<svg") == 2 * len(MEASURES)
    assert "<script" not in html


def test_too_few_conditions_are_refused():
    with pytest.raises(DataError, match="needs at least 4"):
        analyse(results(3))
