import math

import pytest
import torch
from torch.nn.functional import logsigmoid

from ntp.errors import CheckpointError, DataError
from ntp.rewards.aggregation import Mean, WorstCase
from ntp.verifier.calibration import Calibration, calibrate
from ntp.verifier.ensemble import EnsembleCritic, VerifierEnsemble
from ntp.verifier.features import ScoreFeatures
from ntp.verifier.scoring import TacticScores

QUESTIONS = [
    ("n : nat\n⊢ n + 0 = n", "induction n."),
    ("⊢ 0", "auto."),
    ("n : nat\n⊢ n + 0 = n", "auto."),
    ("⊢ 0", "auto."),
]
CALIBRATION = Calibration(
    ScoreFeatures("joint", 1.0, 0.1),
    mean=((-1.0, 0.1), (0.5, -0.2), (0.0, 0.0)),
    std=((2.0, 0.5), (1.0, 1.0), (1.0, 2.0)),
    slope=((1.0, 1.5), (0.5, 2.0), (1.0, -0.5)),
    offset=((0.0,), (-1.0,), (1.0,)),
)


@pytest.fixture
def ensemble(make_verifier):
    return VerifierEnsemble(make_verifier(3), CALIBRATION)


def test_scores_are_calibrated_features(ensemble):
    scores = ensemble.score(QUESTIONS)
    verifier = ensemble.model
    for n, (state, text) in enumerate(QUESTIONS):
        ids = verifier.backbone.encode_tactic(text)
        log_ref = verifier.reference_log_probs([state], [[ids]])[0, 0].item()
        log_p = verifier.log_probs([state], [[[ids]]] * 3)[:, 0, 0].tolist()
        for k in range(3):
            per_token = (log_ref / (len(ids) + 1), (log_p[k] - log_ref) / (len(ids) + 1))
            log_odds = CALIBRATION.offset[k][0] + sum(
                CALIBRATION.slope[k][f] * (per_token[f] - CALIBRATION.mean[k][f]) / CALIBRATION.std[k][f]
                for f in range(2)
            )
            assert scores.log_odds_KN[k, n].item() == pytest.approx(log_odds, abs=1e-3)
    torch.testing.assert_close(scores.disagreement_N, scores.log_odds_KN.std(0, correction=0))


@pytest.mark.parametrize("length_exponent", [0.0, 0.5, 1.0])
def test_kinds_of_features(length_exponent):
    scores = TacticScores(torch.tensor([[-6.0], [-4.0]]), torch.tensor([-5.0]), torch.tensor([4]))
    length = 4**length_exponent
    values = {
        kind: (ScoreFeatures(kind, length_exponent).of(scores) * length)[..., 0].tolist()
        for kind in ("likelihood", "log_ratio", "joint")
    }
    assert values == {
        "likelihood": [[-6.0, -4.0]],
        "log_ratio": [[-1.0, 1.0]],
        "joint": [[-5.0, -5.0], [-1.0, 1.0]],
    }


def test_probabilities_that_objectives_imply():
    scores = TacticScores(torch.tensor([[-6.0]]), torch.tensor([-5.0]), torch.tensor([4]))
    preference, likelihood = ScoreFeatures("joint", 0, beta=0.5), ScoreFeatures("likelihood", 0)
    assert preference.implied_probability(scores).item() == pytest.approx(1 / (1 + math.exp(0.5)))
    assert likelihood.implied_probability(scores).item() == pytest.approx(math.exp(-1.5))


def test_calibration_is_logistic_regression():
    """At the maximum of the likelihood, residuals of the draws are orthogonal to all features."""
    generator = torch.Generator().manual_seed(0)
    log_p_KN = -5 - 5 * torch.rand(2, 200, generator=generator)
    log_ref_N = -5 - 5 * torch.rand(200, generator=generator)
    scores = TacticScores(log_p_KN, log_ref_N, torch.randint(2, 9, (200,), generator=generator))
    label_N = (log_p_KN[0] - log_ref_N + 3 * torch.randn(200, generator=generator) > 0).float()
    features = ScoreFeatures("joint", 0.5)
    num_tried_N = torch.randint(1, 5, (200,), generator=generator)
    p_KN = calibrate(scores, label_N, num_tried_N, features).log_odds(scores).sigmoid()
    residual_KN = num_tried_N * (label_N - p_KN)
    assert residual_KN.sum(1).abs().max() < 0.05
    assert (residual_KN * features.of(scores)).sum(2).abs().max() < 0.3
    with pytest.raises(DataError, match=r"labels .* are equal"):
        calibrate(scores, torch.ones(200), num_tried_N, features)


@pytest.mark.parametrize("aggregation", [Mean(), WorstCase()])
def test_critic_answers_in_the_order_of_the_question(ensemble, aggregation):
    states = ["⊢ 0", "n : nat\n⊢ n + 0 = n"]
    tactics = [["auto."], ["auto.", "induction n."]]
    beliefs = EnsembleCritic(ensemble, aggregation).log_correct(states, tactics)
    expected = [
        [logsigmoid(aggregation(ensemble.score([(state, text)]).log_odds_KN)).item() for text in row]
        for state, row in zip(states, tactics, strict=True)
    ]
    for row, wanted in zip(beliefs, expected, strict=True):
        assert row == pytest.approx(wanted, abs=1e-4)


def test_critic_of_nothing_says_nothing(ensemble):
    assert EnsembleCritic(ensemble, Mean()).log_correct(["⊢ 0"], [[]]) == [[]]


def test_an_ensemble_is_read_again(ensemble, make_backbone, tmp_path):
    ensemble.model.save(tmp_path)
    CALIBRATION.save(tmp_path)
    loaded = VerifierEnsemble.load(make_backbone(), tmp_path)
    assert loaded.calibration == CALIBRATION
    torch.testing.assert_close(
        loaded.score(QUESTIONS).log_odds_KN, ensemble.score(QUESTIONS).log_odds_KN, atol=1e-4, rtol=0
    )


@pytest.mark.parametrize("spoil", [None, "{", '{"features": {"kind": "vibes", "length_exponent": 0}}'])
def test_a_spoilt_calibration_is_named(spoil, tmp_path):
    if spoil is not None:
        (tmp_path / "calibration.json").write_text(spoil)
    with pytest.raises(CheckpointError, match="no calibration of a verifier in"):
        Calibration.load(tmp_path)
