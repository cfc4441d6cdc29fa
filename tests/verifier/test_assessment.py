import pytest
import torch

from ntp.data.examples import LabelledState
from ntp.rewards.aggregation import Mean, WorstCase
from ntp.verifier.assessment import Labels, assess
from ntp.verifier.calibration import Calibration
from ntp.verifier.features import ScoreFeatures
from ntp.verifier.scoring import TacticScores

STATES = [
    LabelledState("a", "p", ("good",), ("bad", "worse"), (3, 1, 2)),
    LabelledState("a", "q", (), ("bad",), (4,)),
    LabelledState("b", "p", ("good", "better"), ("bad",), (1, 1, 1)),
]


def calibration(num_heads):
    zeros, ones = ((0.0,),) * num_heads, ((1.0,),) * num_heads
    return Calibration(ScoreFeatures("likelihood", 0.0), zeros, ones, ones, zeros)


def scores(*log_p):
    log_p_KN = torch.tensor(log_p)
    return TacticScores(log_p_KN, log_p_KN[0], torch.full((7,), 2))


def test_labels_name_states_and_draws():
    labels = Labels.of(STATES)
    assert labels.label_N.tolist() == [1, 0, 0, 0, 1, 1, 0]
    assert labels.state_N.tolist() == [0, 0, 0, 1, 2, 2, 2]
    assert labels.num_tried_N.tolist() == [3, 1, 2, 4, 1, 1, 1]
    assert labels.decided_N.tolist() == [True, True, True, False, True, True, True]


def test_a_verifier_that_is_right_has_perfect_marks():
    right = scores([9.0, -9.0, -8.0, -9.0, 9.0, 8.0, -9.0])
    metrics = assess(right, calibration(1), Mean(), Labels.of(STATES))
    for name in ("auroc", "auroc_decided", "auprc", "pairwise", "pairwise_whole", "pairwise_per_token"):
        assert metrics[name] == pytest.approx(1), name
    assert metrics["at_2"] == pytest.approx((2 / 3 + 1) / 2)  # two of three draws hold the only correct one
    assert metrics["ece"] == pytest.approx(0, abs=1e-3)
    assert metrics["brier"] == pytest.approx(0, abs=1e-3)
    assert "head_correlation" not in metrics
    assert "at_4" not in metrics


def test_probabilities_are_judged_over_draws():
    even = scores([0.0] * 7)
    metrics = assess(even, calibration(1), Mean(), Labels.of(STATES))
    share_correct = (3 + 1 + 1) / 13
    assert metrics["ece"] == pytest.approx(0.5 - share_correct, abs=1e-6)
    assert metrics["brier"] == pytest.approx(0.25)
    assert metrics["auroc"] == metrics["pairwise"] == 0.5


def test_heads_are_listened_to_as_asked():
    right, wrong = [9.0, -9.0, -9.0, -9.0, 9.0, 9.0, -9.0], [-20.0, 1.0, 1.0, 1.0, -20.0, -20.0, 1.0]
    both = scores(right, wrong)
    assert assess(both, calibration(2), WorstCase(), Labels.of(STATES))["pairwise"] == 0.0
    metrics = assess(both, calibration(2), Mean(), Labels.of(STATES))
    assert metrics["head_correlation"] == pytest.approx(-1, abs=1e-5)
