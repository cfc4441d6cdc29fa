"""How well a verifier's scores of tactics agree with the kernel's labels.

N tactics, each with a score (higher: more likely correct), a label (1 correct, 0 incorrect) and the integer
id of the proof state it was tried in. Ties in score are never broken by the order of the tactics, because
labelled states list their correct tactics first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import Tensor
from torchmetrics.functional import mean_squared_error, pearson_corrcoef
from torchmetrics.functional.classification import (
    binary_auroc,
    binary_average_precision,
    binary_calibration_error,
)

# Number of bins of [0, 1).
NUM_BINS = 15


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The tactics of one bin of probabilities.

    Attributes:
        probability: Their mean probability of being correct.
        share_correct: The share of them that is correct.
        num_tactics: Their number.
    """

    probability: float
    share_correct: float
    num_tactics: int


def auroc(score_N: Tensor, label_N: Tensor) -> float:
    """Probability that a correct tactic scores higher than an incorrect one of any state; ties count half.

    Args:
        score_N: In any unit: only their order matters.
        label_N: 1 for correct, 0 for incorrect.

    Raises:
        ValueError: All labels are equal.
    """
    return binary_auroc(*_ranked(score_N, label_N)).item()


def auprc(score_N: Tensor, label_N: Tensor) -> float:
    """Area under the precision-recall curve as average precision; chance level is the share of correct ones.

    Args:
        score_N: As for `auroc`.
        label_N: As for `auroc`.

    Raises:
        ValueError: All labels are equal.
    """
    return binary_average_precision(*_ranked(score_N, label_N)).item()


def pairwise_accuracy(score_N: Tensor, label_N: Tensor, state_N: Tensor) -> float:
    """Share of (correct, incorrect) pairs of tactics of one state whose correct one scores higher.

    Ties count half. The mean is over the pairs of a state, then over states, so that states with many tactics
    have no more weight than others; states without both kinds do not count.

    Args:
        score_N: As for `auroc`.
        label_N: As for `auroc`.
        state_N: Integer id of each tactic's state.

    Raises:
        ValueError: No state has both kinds.
    """
    shares = []
    for score_M, correct_M in _grouped(state_N, score_N, label_N.bool()):
        if correct_M.any() and not correct_M.all():
            chosen_P1, rejected_Q = score_M[correct_M][:, None], score_M[~correct_M]
            won_PQ, tied_PQ = chosen_P1 > rejected_Q, chosen_P1 == rejected_Q
            shares.append((won_PQ.double() + tied_PQ.double() / 2).mean().item())
    if not shares:
        raise ValueError("no state has both correct and incorrect tactics: no pairs to compare")
    return fmean(shares)


def calibration_error(p_N: Tensor, label_N: Tensor, num_bins: int = NUM_BINS) -> float:
    """Expected calibration error (Guo et al. 2017, eq. 3) of the probability that a tactic is correct.

    The distance between mean probability and share of correct tactics, averaged over bins [a, b) of equal
    width with the number of their tactics as weights. As in torchmetrics, p = 1 has a bin of its own.

    Args:
        p_N: Probabilities, in [0, 1].
        label_N: As for `auroc`.
        num_bins: Number of bins of [0, 1).

    Raises:
        ValueError: A probability is outside [0, 1].
    """
    # torchmetrics would silently treat all of them as log-odds.
    if not ((p_N >= 0) & (p_N <= 1)).all():
        raise ValueError("probabilities outside [0, 1] have no calibration error")
    return binary_calibration_error(p_N.double(), label_N.long(), n_bins=num_bins, norm="l1").item()


def reliability(p_N: Tensor, label_N: Tensor, num_bins: int = NUM_BINS) -> list[ReliabilityBin]:
    """The reliability curve: the non-empty bins of `calibration_error` in ascending order.

    Args:
        p_N: Probabilities, in [0, 1].
        label_N: As for `auroc`.
        num_bins: Number of bins of [0, 1).
    """
    p_N, label_N = p_N.double(), label_N.double()
    return [
        ReliabilityBin(p_M.mean().item(), label_M.mean().item(), len(p_M))
        for p_M, label_M in _grouped((p_N * num_bins).long(), p_N, label_N)
    ]


def brier(p_N: Tensor, label_N: Tensor) -> float:
    """Mean squared distance of probability and label (Brier 1950), for one class: in [0, 1], 0 is best.

    Args:
        p_N: Probabilities, in [0, 1].
        label_N: As for `auroc`.
    """
    return mean_squared_error(p_N.double(), label_N.double()).item()


def verifier_at_k(score_N: Tensor, label_N: Tensor, state_N: Tensor, k: int) -> float | None:
    """Probability that the best-scored of k tactics of a state is correct, averaged over states.

    The k tactics are sampled without replacement from those tried in the state. With its n tactics in
    ascending order of score, the i-th is the best of C(i - 1, k - 1) of the C(n, k) samples: the estimator of
    Best-of-k of Hosseini et al. 2024, V-STaR: Training Verifiers for Self-Taught Reasoners. Tactics with
    equal scores are chosen equally often. k = 1 is the chance level, where the verifier has no choice.

    Args:
        score_N: As for `auroc`.
        label_N: As for `auroc`.
        state_N: As for `pairwise_accuracy`.
        k: Tactics in a sample.

    Returns:
        The mean over states with at least k tactics, None when there are none.

    Raises:
        ValueError: Unless k >= 1.
    """
    if k < 1:
        raise ValueError(f"the best of a sample needs k >= 1, got {k}")
    chances = [
        _best_of_k(score_M, label_M, k)
        for score_M, label_M in _grouped(state_N, score_N, label_N)
        if len(score_M) >= k
    ]
    return fmean(chances) if chances else None


def disagreement_auroc(p_N: Tensor, disagreement_N: Tensor, label_N: Tensor) -> float | None:
    """AUROC of the heads' disagreement as a predictor of errors (p on the wrong side of 1/2).

    Args:
        p_N: Probabilities that a tactic is correct, in [0, 1]; exactly 1/2 is on neither side.
        disagreement_N: The heads' disagreement about each tactic, in any unit.
        label_N: As for `auroc`.

    Returns:
        None when there are no errors or only errors.
    """
    error_N = (p_N - 0.5) * (label_N - 0.5) < 0
    if error_N.all() or not error_N.any():
        return None
    return auroc(disagreement_N, error_N)


def head_correlation(score_KN: Tensor) -> float | None:
    """Pearson correlation of the scores of two different heads, averaged over pairs of heads.

    Args:
        score_KN: In any unit, which may differ between heads.

    Returns:
        None if it is undefined: for fewer than two heads, or if a head gives all tactics the same score.
    """
    # Test for equality, because the variance of equal scores need not be 0 in floating point.
    if len(score_KN) < 2 or (score_KN == score_KN[:, :1]).all(1).any():
        return None
    first_P, second_P = torch.triu_indices(len(score_KN), len(score_KN), offset=1, device=score_KN.device)
    score_NK = score_KN.double().T
    return pearson_corrcoef(score_NK[:, first_P], score_NK[:, second_P]).mean().item()


def _ranked(score_N: Tensor, label_N: Tensor) -> tuple[Tensor, Tensor]:
    """Ranks of the scores in [0, 1), equal for equal scores, and integer labels.

    Ranks, because torchmetrics applies a sigmoid to scores outside [0, 1], which may make different scores
    equal.
    """
    if label_N.unique().numel() < 2:
        raise ValueError("all labels are equal: no ranking to measure")
    _, rank_N = torch.unique(score_N, return_inverse=True)
    return rank_N.double() / len(rank_N), label_N.long()


def _grouped(group_N: Tensor, *columns_N: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The columns' entries for each group (a state, say), groups in ascending order."""
    order_N = group_N.argsort(stable=True)
    _, size_G = torch.unique(group_N, return_counts=True)
    sizes = size_G.tolist()
    return zip(*(column_N[order_N].split(sizes) for column_N in columns_N), strict=True)


def _best_of_k(score_M: Tensor, label_M: Tensor, k: int) -> float:
    """Expected label of the best-scored of k tactics of one state.

    Summed over the ranks a + 1 .. b of equal scores, C(i - 1, k - 1) is C(b, k) - C(a, k).
    """
    _, block_M, size_B = torch.unique(score_M, return_inverse=True, return_counts=True)
    correct_B = torch.zeros_like(size_B, dtype=torch.double).index_add(0, block_M, label_M.double())
    upto_B = size_B.cumsum(0)
    # In Python's integers: binomial coefficients of a state's tactics overflow tensors.
    num_samples = math.comb(len(score_M), k)
    return sum(
        (math.comb(upto, k) - math.comb(upto - size, k)) / num_samples * correct / size
        for upto, size, correct in zip(upto_B.tolist(), size_B.tolist(), correct_B.tolist(), strict=True)
    )
