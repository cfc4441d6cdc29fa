from itertools import combinations
from statistics import fmean

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp.verifier.metrics import (
    auprc,
    auroc,
    brier,
    calibration_error,
    disagreement_auroc,
    head_correlation,
    pairwise_accuracy,
    reliability,
    verifier_at_k,
)

# Few values, so that ties are common; some far outside [0, 1], some closer than a sigmoid can tell.
SCORES = [-1e4, -9999.0, -0.5, 0.0, 1e-30, 0.25, 40.0, 41.0, 1e4]
TACTICS = st.lists(
    st.tuples(st.sampled_from(SCORES), st.sampled_from([0.0, 1.0]), st.sampled_from([-3, 0, 7])),
    min_size=1,
    max_size=14,
)


def columns(tactics):
    scores, labels, states = zip(*tactics, strict=True)
    return torch.tensor(scores), torch.tensor(labels), torch.tensor(states)


def tactics_by_state(tactics):
    return [[t for t in tactics if t[2] == state] for state in {t[2] for t in tactics}]


def share_of_pairs(tactics):
    """Mann and Whitney's U over the number of pairs; None when there are no pairs."""
    wins = []
    for high, correct, _ in tactics:
        for low, also_correct, _ in tactics:
            if correct and not also_correct:
                wins.append(1.0 if high > low else 0.5 if high == low else 0.0)
    return fmean(wins) if wins else None


def average_precision(tactics):
    """Of every correct tactic, the precision among those that score at least as high."""
    return fmean(
        fmean(label for other, label, _ in tactics if other >= score)
        for score, correct, _ in tactics
        if correct
    )


def best_of_subsets(tactics, k):
    """Over all subsets of k tactics, the mean label of those with the highest score."""
    outcomes = []
    for subset in combinations(tactics, k):
        best = max(score for score, _, _ in subset)
        outcomes.append(fmean(label for score, label, _ in subset if score == best))
    return fmean(outcomes)


@given(TACTICS.filter(lambda tactics: len({label for _, label, _ in tactics}) == 2))
def test_auroc_and_auprc_are_those_of_all_pairs_and_ranks(tactics):
    scores, labels, _ = columns(tactics)
    assert auroc(scores, labels) == pytest.approx(share_of_pairs(tactics), abs=1e-6)
    assert auprc(scores, labels) == pytest.approx(average_precision(tactics), abs=1e-6)


def test_scores_a_float32_sigmoid_cannot_tell_apart_are_ranked():
    scores = torch.tensor([50.0, 60.0, 1e4, -1e4, -200.0, 1.0, 1.0 + 2**-23])
    labels = torch.tensor([0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0])
    assert torch.sigmoid(scores[0]) == torch.sigmoid(scores[2])
    # 60 and 1e4 beat all three incorrect ones, -200 only -1e4, the last all but 50.
    assert auroc(scores, labels) == pytest.approx((3 + 3 + 1 + 2) / 12, abs=1e-6)


@pytest.mark.parametrize("metric", [auroc, auprc])
@pytest.mark.parametrize("labels", [[1.0, 1.0], [0.0, 0.0], []])
def test_labels_that_are_all_alike_measure_no_ranking(metric, labels):
    with pytest.raises(ValueError, match="labels are equal"):
        metric(torch.zeros(len(labels)), torch.tensor(labels))


@given(TACTICS)
def test_pairwise_accuracy_is_that_of_a_double_loop(tactics):
    shares = [share for group in tactics_by_state(tactics) if (share := share_of_pairs(group)) is not None]
    if shares:
        assert pairwise_accuracy(*columns(tactics)) == pytest.approx(fmean(shares))
    else:
        with pytest.raises(ValueError, match="no state"):
            pairwise_accuracy(*columns(tactics))


def test_states_weigh_alike_in_pairwise_accuracy_and_lone_kinds_not_at_all():
    # State 0: one pair, lost. State 1: three pairs, all won. States 2 and 3: no pairs.
    scores = torch.tensor([1.0, 5.0, 2.0, 0.0, 0.0, 0.0, 9.0, 9.0])
    labels = torch.tensor([0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0])
    states = torch.tensor([1, 1, 0, 0, 1, 1, 2, 3])
    assert pairwise_accuracy(scores, labels, states) == pytest.approx(0.5)


def test_calibration_error_counted_by_hand():
    p = torch.tensor([0.1, 0.3, 0.6, 0.9, 0.5])
    labels = torch.tensor([0.0, 1.0, 1.0, 1.0, 0.0])
    # [0, 1/2): mean p 0.2, half correct. [1/2, 1): mean p 2/3, two thirds correct.
    assert calibration_error(p, labels, num_bins=2) == pytest.approx(2 / 5 * 0.3, abs=1e-6)
    # Alone in its bin, each is as wrong as it is far from its label.
    assert calibration_error(p, labels) == pytest.approx((0.1 + 0.7 + 0.4 + 0.1 + 0.5) / 5, abs=1e-6)


def test_the_reliability_curve_is_what_the_calibration_error_is_the_distance_of():
    p = torch.tensor([0.9, 0.1, 0.3, 0.6, 0.5, 1.0])
    labels = torch.tensor([1, 0, 1, 1, 0, 1])
    curve = reliability(p, labels, num_bins=2)
    assert [(round(b.probability, 4), round(b.share_correct, 4), b.num_tactics) for b in curve] == [
        (0.2, 0.5, 2), (0.6667, 0.6667, 3), (1.0, 1.0, 1)
    ]  # fmt: skip
    for num_bins in (2, 15):
        distances = [
            b.num_tactics / 6 * abs(b.probability - b.share_correct) for b in reliability(p, labels, num_bins)
        ]
        assert sum(distances) == pytest.approx(calibration_error(p, labels, num_bins), abs=1e-6)


def test_certain_and_right_is_calibrated():
    assert calibration_error(torch.tensor([0.0, 1.0, 1.0]), torch.tensor([0.0, 1.0, 1.0])) == 0


@pytest.mark.parametrize("wrong", [-0.5, 1.5, float("nan")])
def test_log_odds_have_no_calibration_error(wrong):
    with pytest.raises(ValueError, match="outside"):
        calibration_error(torch.tensor([0.5, wrong]), torch.tensor([0.0, 1.0]))


def test_brier_counted_by_hand():
    p, labels = torch.tensor([0.0, 0.5, 0.8]), torch.tensor([1.0, 0.0, 1.0])
    assert brier(p, labels) == pytest.approx((1 + 0.25 + 0.04) / 3, abs=1e-6)


@given(TACTICS, st.integers(1, 6))
def test_verifier_at_k_is_the_mean_over_all_subsets(tactics, k):
    chances = [best_of_subsets(group, k) for group in tactics_by_state(tactics) if len(group) >= k]
    got = verifier_at_k(*columns(tactics), k)
    assert got is None if not chances else got == pytest.approx(fmean(chances))


def test_a_state_of_equal_scores_is_at_chance_whatever_its_order():
    labels, states = torch.tensor([1.0, 0.0, 0.0, 0.0]), torch.zeros(4, dtype=torch.long)
    for k in (1, 2, 4):
        assert verifier_at_k(torch.ones(4), labels, states, k) == pytest.approx(0.25)
        assert verifier_at_k(torch.ones(4), labels.flip(0), states, k) == pytest.approx(0.25)


def test_large_states_are_exact():
    # The one correct tactic scores highest: it is chosen whenever it is drawn.
    scores, states = torch.arange(2000.0), torch.zeros(2000, dtype=torch.long)
    assert verifier_at_k(scores, (scores == 1999).float(), states, 700) == pytest.approx(700 / 2000)


def test_verifier_at_k_needs_states_with_k_tactics():
    scores, labels, states = torch.ones(3), torch.ones(3), torch.tensor([0, 0, 1])
    assert verifier_at_k(scores, labels, states, 2) == 1
    assert verifier_at_k(scores, labels, states, 3) is None
    with pytest.raises(ValueError, match="k >= 1"):
        verifier_at_k(scores, labels, states, 0)


def test_disagreement_predicts_errors():
    p = torch.tensor([0.9, 0.2, 0.7, 0.1, 0.5])
    labels = torch.tensor([1.0, 1.0, 0.0, 0.0, 1.0])  # second and third are errors
    disagreement = torch.tensor([3.0, 10.0, 3.0, 2.0, 4.0])
    # 10 beats all three of the others, 3 ties 3, beats 2, loses to 4.
    assert disagreement_auroc(p, disagreement, labels) == pytest.approx((3 + 1.5) / 6, abs=1e-6)


def test_without_errors_or_with_errors_only_disagreement_predicts_nothing():
    p, labels = torch.tensor([0.9, 0.2]), torch.tensor([1.0, 0.0])
    assert disagreement_auroc(p, torch.rand(2), labels) is None
    assert disagreement_auroc(p, torch.rand(2), 1 - labels) is None


@pytest.mark.parametrize("num_heads", [2, 3, 5])
def test_head_correlation_is_numpys(num_heads):
    generator = torch.Generator().manual_seed(num_heads)
    scale = torch.tensor([1e-3, 1.0, 1e3, -7.0, 0.5])[:num_heads, None]
    scores = (torch.randn(num_heads, 20, generator=generator) + torch.randn(20, generator=generator)) * scale
    matrix = np.corrcoef(scores.double().numpy())
    assert head_correlation(scores) == pytest.approx(matrix[np.triu_indices(num_heads, 1)].mean())


def test_one_head_or_a_constant_one_has_no_correlation():
    scores = torch.randn(2, 7)
    assert head_correlation(scores[:1]) is None
    assert head_correlation(scores[:, :1]) is None
    scores[1] = 0.1
    assert head_correlation(scores) is None
