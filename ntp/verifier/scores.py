"""What a verifier's log-probabilities say about a tactic: standardised scores and calibrated log-odds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from ntp.data.jsonl import atomic_write
from ntp.errors import CheckpointError, ConfigError, DataError
from ntp.verifier.evidence import Evidence
from ntp.verifier.scoring import TacticScores

CALIBRATION_FILE = "calibration.json"
_PER_HEAD = ("mean", "std", "slope", "offset")


@dataclass(frozen=True, slots=True)
class Calibration:
    """Per head, what turns evidence into a standard score, and that into log-odds.

    Attributes:
        evidence: What counts for a tactic.
        mean: Of the evidence over validation attempts.
        std: Its standard deviation.
        slope: Log-odds of a correct tactic per standard deviation: the inverse of the temperature.
        offset: Log-odds at the mean.
    """

    evidence: Evidence
    mean: tuple[float, ...]
    std: tuple[float, ...]
    slope: tuple[float, ...]
    offset: tuple[float, ...]

    def save(self, directory: Path) -> None:
        """Write it beside the heads."""
        with atomic_write(directory / CALIBRATION_FILE) as stream:
            stream.write(json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, directory: Path) -> Calibration:
        """Read what `save` wrote.

        Raises:
            CheckpointError: It is missing or corrupt.
        """
        try:
            fields = json.loads((directory / CALIBRATION_FILE).read_text())
            evidence = Evidence(**fields["evidence"])
            return cls(evidence, *(tuple(map(float, fields[name])) for name in _PER_HEAD))
        except (OSError, ValueError, KeyError, TypeError, ConfigError) as error:
            raise CheckpointError(f"no calibration of a verifier in {directory}: {error}") from error

    def scores(self, tactics: TacticScores) -> Tensor:
        """Standard scores, (K, N): mean 0 and deviation 1 over validation attempts."""
        evidence_KN = self.evidence.of(tactics)
        return (evidence_KN - _column(self.mean, evidence_KN)) / _column(self.std, evidence_KN)

    def log_odds(self, score_KN: Tensor) -> Tensor:
        """Calibrated log-odds that a tactic is correct, (K, N)."""
        return _column(self.slope, score_KN) * score_KN + _column(self.offset, score_KN)


def calibrate(tactics: TacticScores, label_N: Tensor, evidence: Evidence) -> Calibration:
    """Fit a calibration on validation attempts (Platt 1999: logistic regression on one score, per head).

    Args:
        tactics: N scored tactics.
        label_N: 1 for correct, 0 for incorrect.
        evidence: What counts for a tactic.

    Raises:
        DataError: All labels are alike.
    """
    if label_N.min() == label_N.max():
        raise DataError("all labels of the validation attempts are alike: nothing to calibrate a verifier on")
    evidence_KN = evidence.of(tactics).double()
    mean_K, std_K = evidence_KN.mean(1), evidence_KN.std(1).clamp_min(1e-6)
    score_KN = (evidence_KN - mean_K[:, None]) / std_K[:, None]
    slope_K = torch.ones_like(mean_K, requires_grad=True)
    offset_K = torch.zeros_like(mean_K, requires_grad=True)
    optimizer = torch.optim.LBFGS([slope_K, offset_K], max_iter=100, line_search_fn="strong_wolfe")
    target_KN = label_N.double().expand_as(score_KN)

    def closure() -> Tensor:
        optimizer.zero_grad()
        logit_KN = slope_K[:, None] * score_KN + offset_K[:, None]
        loss = binary_cross_entropy_with_logits(logit_KN, target_KN, reduction="none").mean(1).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return Calibration(
        evidence, *(tuple(values.tolist()) for values in (mean_K, std_K, slope_K.detach(), offset_K.detach()))
    )


def _column(values: Sequence[float], like_KN: Tensor) -> Tensor:
    return torch.tensor(values, dtype=like_KN.dtype, device=like_KN.device)[:, None]
