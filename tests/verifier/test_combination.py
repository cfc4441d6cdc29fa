import json
from dataclasses import replace

import pytest
import torch
from sklearn.linear_model import LogisticRegression

from ntp.errors import CheckpointError, ConfigError
from ntp.rewards.aggregation import Combination, Learned, Mean, disagreement
from ntp.verifier.calibration import CALIBRATION_FILE, Calibration
from ntp.verifier.combination import combine
from ntp.verifier.ensemble import VerifierEnsemble
from ntp.verifier.features import ScoreFeatures


def attempts(num=4000):
    """Labels, and three heads: one that knows, one that is half as sure, one that knows nothing."""
    generator = torch.Generator().manual_seed(0)
    label_N = torch.randint(2, (num,), generator=generator)
    noise_KN = torch.randn(3, num, generator=generator, dtype=torch.float64)
    signal_KN = torch.tensor([[1.0], [0.5], [0.0]], dtype=torch.float64) * (2 * label_N - 1)
    return signal_KN + noise_KN, label_N


def test_the_fit_is_that_of_a_library_and_ignores_the_head_that_knows_nothing():
    log_odds_KN, label_N = attempts()
    num_tried_N = torch.arange(len(label_N)) % 3 + 1
    fitted = combine(log_odds_KN, label_N, num_tried_N, ridge=0.0)
    features_NF = torch.cat([log_odds_KN, disagreement(log_odds_KN)[None]]).T.numpy()
    library = LogisticRegression(C=1e9, tol=1e-8, max_iter=1000)
    library.fit(features_NF, label_N.numpy(), sample_weight=num_tried_N.numpy())
    *weights, disagreement_weight = library.coef_[0]
    assert fitted.weights == pytest.approx(weights, abs=1e-3)
    assert fitted.disagreement_weight == pytest.approx(disagreement_weight, abs=1e-3)
    assert fitted.offset == pytest.approx(library.intercept_[0], abs=1e-3)
    # Of heads with deviation 1 around +-m, the right weight is 2 m.
    assert fitted.weights == pytest.approx((2.0, 1.0, 0.0), abs=0.2)
    logit_N = torch.from_numpy(library.decision_function(features_NF))
    assert torch.allclose(fitted(log_odds_KN), logit_N, atol=1e-2)


def test_a_strong_ridge_leaves_the_mean():
    log_odds_KN, label_N = attempts(200)
    fitted = combine(log_odds_KN, label_N, torch.ones(200), ridge=1e6)
    assert torch.allclose(fitted(log_odds_KN), Mean()(log_odds_KN), atol=1e-3)


def test_what_was_learned_takes_the_place_of_its_name(tmp_path):
    values = ((0.0,), (0.0,))
    learned = Combination((0.25, 2.0), -0.5, 0.125)
    calibration = Calibration(ScoreFeatures("likelihood", 0.0), values, values, values, values, learned)
    calibration.save(tmp_path)
    loaded = Calibration.load(tmp_path)
    assert loaded == calibration
    ensemble = VerifierEnsemble(None, loaded)
    assert ensemble.aggregation(Learned()) == learned and ensemble.aggregation(Mean()) == Mean()
    # Heads at 1 and 3 deviate by 1.
    assert learned(torch.tensor([[1.0], [3.0]])).tolist() == pytest.approx([0.25 + 6 - 0.5 + 0.125])
    with pytest.raises(ConfigError, match="needs verifiers"):
        Learned()(torch.zeros(2, 1))
    without = VerifierEnsemble(None, replace(calibration, combination=None))
    with pytest.raises(CheckpointError, match="train them again"):
        without.aggregation(Learned())
    fields = json.loads((tmp_path / CALIBRATION_FILE).read_text())
    del fields["combination"]
    (tmp_path / CALIBRATION_FILE).write_text(json.dumps(fields))
    assert Calibration.load(tmp_path).combination is None
