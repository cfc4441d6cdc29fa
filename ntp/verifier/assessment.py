"""One verifier, or one way of listening to an ensemble, against the kernel's labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ntp.data.preferences import LabelledState
from ntp.rewards.aggregation import Aggregation, disagreement
from ntp.verifier.metrics import (
    auprc,
    auroc,
    brier,
    calibration_error,
    disagreement_auroc,
    head_correlation,
    pairwise_accuracy,
    verifier_at_k,
)
from ntp.verifier.scores import Calibration
from ntp.verifier.scoring import TacticScores

AT_K = (1, 2, 4, 8, 16)


@dataclass(frozen=True, slots=True)
class Labels:
    """The kernel's word on N tactics.

    Attributes:
        label_N: 1 for correct, 0 for incorrect.
        state_N: Integer that names each tactic's state.
    """

    label_N: Tensor
    state_N: Tensor

    @classmethod
    def of(cls, states: Sequence[LabelledState]) -> Labels:
        """Those of labelled states, flat, in the order of their `tactics`."""
        return cls(
            torch.tensor([label for state in states for label in state.labels]),
            torch.tensor([i for i, state in enumerate(states) for _ in state.tactics]),
        )


def assess(
    scores: TacticScores, calibration: Calibration, aggregation: Aggregation, labels: Labels
) -> dict[str, float]:
    """All metrics of a verifier; those that are not defined are left out.

    Ranks are by the aggregated calibrated log-odds, but `pairwise_whole` and `pairwise_per_token` are by the
    bare evidence without and with length normalisation. `ece_raw` and `brier_raw` are of the probability that
    the objective itself implies, before any calibration. All are aggregated alike.
    """
    label_N, state_N = labels.label_N, labels.state_N
    evidence = calibration.evidence
    whole_KN, per_token_KN = (replace(evidence, length_exponent=e).of(scores).double() for e in (0, 1))
    score_KN = calibration.scores(scores)
    log_odds_KN = calibration.log_odds(score_KN).double()
    log_odds_N = aggregation(log_odds_KN)
    p_N = log_odds_N.sigmoid()
    p_raw_N = aggregation(evidence.implied_probability(scores).double().logit(eps=1e-9)).sigmoid()
    metrics: dict[str, float | None] = {
        "auroc": auroc(log_odds_N, label_N),
        "auprc": auprc(log_odds_N, label_N),
        "pairwise": pairwise_accuracy(log_odds_N, label_N, state_N),
        "pairwise_whole": pairwise_accuracy(aggregation(whole_KN), label_N, state_N),
        "pairwise_per_token": pairwise_accuracy(aggregation(per_token_KN), label_N, state_N),
        "ece_raw": calibration_error(p_raw_N, label_N),
        "ece": calibration_error(p_N, label_N),
        "brier_raw": brier(p_raw_N, label_N),
        "brier": brier(p_N, label_N),
        **{f"at_{k}": verifier_at_k(log_odds_N, label_N, state_N, k) for k in AT_K},
    }
    if len(log_odds_KN) > 1:
        metrics["disagreement_auroc"] = disagreement_auroc(p_N, disagreement(log_odds_KN), label_N)
        metrics["head_correlation"] = head_correlation(score_KN)
    return {name: value for name, value in metrics.items() if value is not None}
