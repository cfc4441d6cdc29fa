import numpy as np
import pytest

from ntp.errors import CheckpointError, DataError
from ntp.serve.calibration import CALIBRATION_FILE, FEATURES, Calibration, calibrate, features
from ntp.serve.suggestions import Suggestion

SUGGESTION = Suggestion("intro n.", "tactic", ("n : nat\n⊢ n = n",), None, "policy", False, -1.5)


def test_features_are_in_order():
    values = dict(zip(FEATURES, features(SUGGESTION, 2), strict=True))
    assert values["from_policy"] == 1 and values["log_prob"] == -1.5 and values["closes_goal"] == 0
    assert values["num_goals_after"] == 1 and values["added_goals"] == -1
    assert all(isinstance(value, float) for value in values.values())


def test_probabilities_are_those_that_the_labels_were_drawn_with(tmp_path):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(4000, len(FEATURES)))
    probability = 1 / (1 + np.exp(-(rows[:, 1] - 2 * rows[:, 3] - 0.5)))
    fitted = calibrate(rows.tolist(), (rng.random(4000) < probability).tolist())
    said = np.array([fitted.of(row) for row in rows.tolist()])
    assert np.abs(said - probability).mean() < 0.03
    fitted.save(tmp_path)
    assert Calibration.load(tmp_path) == fitted
    assert 0 < fitted.probability(SUGGESTION, 1) < 1


def test_separable_labels_give_finite_weights():
    rows = [[float(i > 4)] * len(FEATURES) for i in range(10)]
    fitted = calibrate(rows, [i > 4 for i in range(10)])
    assert 0.5 < fitted.of(rows[9]) < 1 and 0 < fitted.of(rows[0]) < 0.5


def test_labels_of_one_kind_cannot_be_fitted():
    with pytest.raises(DataError, match=r"serve\.num_steps"):
        calibrate([[0.0] * len(FEATURES)] * 3, [False] * 3)


@pytest.mark.parametrize("text", ["", "{}", '{"features": ["other"]}'])
def test_what_is_no_calibration_is_one_line(tmp_path, text):
    (tmp_path / CALIBRATION_FILE).write_text(text)
    with pytest.raises(CheckpointError, match="copilot_calibration"):
        Calibration.load(tmp_path)
    with pytest.raises(CheckpointError, match=r"serve\.calibration"):
        Calibration.load(tmp_path / "nowhere")
