import pytest
import torch
from torch.nn.functional import logsigmoid

from ntp.errors import CheckpointError
from ntp.rewards.aggregation import Mean, WorstCase
from ntp.verifier.ensemble import EnsembleCritic, VerifierEnsemble
from ntp.verifier.evidence import Evidence
from ntp.verifier.scores import Calibration

QUESTIONS = [
    ("n : nat\n⊢ n + 0 = n", "induction n."),
    ("⊢ 0", "auto."),
    ("n : nat\n⊢ n + 0 = n", "auto."),
    ("⊢ 0", "auto."),
]
CALIBRATION = Calibration(
    Evidence("log_ratio", 1.0, 0.1), (0.1, -0.2, 0.0), (0.5, 1.0, 2.0), (1.0, 2.0, 0.5), (0.0, -1.0, 1.0)
)


@pytest.fixture
def ensemble(make_verifier):
    return VerifierEnsemble(make_verifier(3), CALIBRATION)


def test_opinions_are_calibrated_log_ratios_per_token(ensemble):
    opinions = ensemble.judge(QUESTIONS)
    verifier = ensemble.model
    for n, (state, text) in enumerate(QUESTIONS):
        ids = verifier.backbone.encode_tactic(text)
        log_p_K = verifier.log_probs([state], [[[ids]]] * 3)[:, 0, 0]
        log_ratio_K = log_p_K - verifier.reference_log_probs([state], [[ids]])[0, 0]
        for k in range(3):
            score = (log_ratio_K[k].item() / (len(ids) + 1) - CALIBRATION.mean[k]) / CALIBRATION.std[k]
            assert opinions.score_KN[k, n].item() == pytest.approx(score, abs=1e-4)
            log_odds = CALIBRATION.slope[k] * score + CALIBRATION.offset[k]
            assert opinions.log_odds_KN[k, n].item() == pytest.approx(log_odds, abs=1e-4)


@pytest.mark.parametrize("length_exponent", [0.0, 0.5, 1.0])
def test_likelihood_is_not_compared_with_the_backbone(length_exponent, make_verifier):
    ones, zeros = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)
    evidence = Evidence("likelihood", length_exponent)
    ensemble = VerifierEnsemble(make_verifier(3), Calibration(evidence, zeros, ones, ones, zeros))
    ids = ensemble.model.backbone.encode_tactic("auto.")
    log_p_K = ensemble.model.log_probs(["⊢ 0"], [[[ids]]] * 3)[:, 0, 0]
    score_K1 = ensemble.judge([("⊢ 0", "auto.")]).score_KN
    torch.testing.assert_close(
        score_K1[:, 0], log_p_K.detach() / (len(ids) + 1) ** length_exponent, atol=1e-4, rtol=0
    )


@pytest.mark.parametrize("aggregation", [Mean(), WorstCase()])
def test_critic_answers_in_the_order_of_the_question(ensemble, aggregation):
    states = ["⊢ 0", "n : nat\n⊢ n + 0 = n"]
    tactics = [["auto."], ["auto.", "induction n."]]
    beliefs = EnsembleCritic(ensemble, aggregation).log_correct(states, tactics)
    expected = [
        [logsigmoid(aggregation(ensemble.judge([(state, text)]).log_odds_KN)).item() for text in row]
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
        loaded.judge(QUESTIONS).log_odds_KN, ensemble.judge(QUESTIONS).log_odds_KN, atol=1e-4, rtol=0
    )


@pytest.mark.parametrize("spoil", [None, "{", '{"evidence": {"kind": "vibes", "length_exponent": 0}}'])
def test_a_spoilt_calibration_is_named(spoil, tmp_path):
    if spoil is not None:
        (tmp_path / "calibration.json").write_text(spoil)
    with pytest.raises(CheckpointError, match="no calibration of a verifier in"):
        Calibration.load(tmp_path)
