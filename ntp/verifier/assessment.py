"""Compares the scores of a verifier, or of an aggregated ensemble, with the kernel's labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ntp.data.examples import LabelledState
from ntp.rewards.aggregation import Aggregation, disagreement
from ntp.verifier.calibration import Calibration
from ntp.verifier.metrics import (
    ReliabilityBin,
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
from ntp.verifier.scoring import TacticScores

AT_K = (1, 2, 4, 8, 16)


@dataclass(frozen=True, slots=True)
class Labels:
    """The kernel's labels of N tactics.

    Attributes:
        label_N: 1 for correct, 0 for incorrect.
        state_N: Integer id of each tactic's state.
        num_tried_N: How often each was sampled.
    """

    label_N: Tensor
    state_N: Tensor
    num_tried_N: Tensor

    @classmethod
    def of(cls, states: Sequence[LabelledState]) -> Labels:
        """The labels of all tactics of labelled states, flat, in the order of `tactics`."""
        return cls(
            torch.tensor([label for state in states for label in state.labels]),
            torch.tensor([i for i, state in enumerate(states) for _ in state.tactics]),
            torch.tensor([num for state in states for num in state.num_tried]),
        )

    @property
    def decided_N(self) -> Tensor:  # noqa: N802 - the suffix is the shape
        """Which tactics belong to a state with both correct and incorrect ones, booleans."""
        num_S, num_correct_S = self.state_N.bincount(), self.state_N.bincount(self.label_N)
        return ((num_correct_S > 0) & (num_correct_S < num_S))[self.state_N]


def assess(
    scores: TacticScores, calibration: Calibration, aggregation: Aggregation, labels: Labels
) -> dict[str, float]:
    """All metrics of a verifier; undefined ones are left out.

    Tactics are ranked by the aggregated calibrated log-odds, except for `pairwise_whole` and
    `pairwise_per_token`, which use the heads' likelihood without and with length normalisation.
    `auroc_decided` is over the states that have both kinds of tactics. Metrics of probabilities weigh every
    tactic by how often it was sampled: `ece` and `brier` are of the calibrated probabilities, `ece_raw` and
    `brier_raw` of those that the objective implies. All use the same aggregation.
    """
    label_N, state_N = labels.label_N, labels.state_N
    log_odds_KN = calibration.log_odds(scores).double()
    log_odds_N = aggregation(log_odds_KN)
    p_N = log_odds_N.sigmoid()
    raw_KN = calibration.features.implied_probability(scores).double()
    p_raw_N = aggregation(raw_KN.logit(eps=1e-9)).sigmoid()
    whole_N = aggregation(scores.log_p_KN.double())
    per_token_N = aggregation((scores.log_p_KN / scores.num_tokens_N).double())
    decided_N = labels.decided_N
    drawn_p_N, drawn_p_raw_N, drawn_label_N = (
        values_N.repeat_interleave(labels.num_tried_N) for values_N in (p_N, p_raw_N, label_N)
    )
    metrics: dict[str, float | None] = {
        "auroc": auroc(log_odds_N, label_N),
        "auroc_decided": auroc(log_odds_N[decided_N], label_N[decided_N]),
        "auprc": auprc(log_odds_N, label_N),
        "pairwise": pairwise_accuracy(log_odds_N, label_N, state_N),
        "pairwise_whole": pairwise_accuracy(whole_N, label_N, state_N),
        "pairwise_per_token": pairwise_accuracy(per_token_N, label_N, state_N),
        "ece_raw": calibration_error(drawn_p_raw_N, drawn_label_N),
        "ece": calibration_error(drawn_p_N, drawn_label_N),
        "brier_raw": brier(drawn_p_raw_N, drawn_label_N),
        "brier": brier(drawn_p_N, drawn_label_N),
        **{
            f"at_{k}": verifier_at_k(log_odds_N[decided_N], label_N[decided_N], state_N[decided_N], k)
            for k in AT_K
        },
    }
    if len(log_odds_KN) > 1:
        metrics["disagreement_auroc"] = disagreement_auroc(p_N, disagreement(log_odds_KN), label_N)
        metrics["head_correlation"] = head_correlation(log_odds_KN)
    return {name: value for name, value in metrics.items() if value is not None}


def reliability_curve(
    scores: TacticScores, calibration: Calibration, aggregation: Aggregation, labels: Labels
) -> list[ReliabilityBin]:
    """Calibrated probability and share of correct tactics per bin, over samples; `ece` is their distance."""
    p_N = aggregation(calibration.log_odds(scores).double()).sigmoid()
    num_tried_N = labels.num_tried_N
    return reliability(p_N.repeat_interleave(num_tried_N), labels.label_N.repeat_interleave(num_tried_N))
