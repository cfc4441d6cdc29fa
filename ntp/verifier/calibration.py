"""Calibration of a verifier's scores: log-odds that a tactic leads to a proof."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from ntp.errors import CheckpointError, ConfigError, DataError
from ntp.jsonl import atomic_write
from ntp.rewards.aggregation import Combination
from ntp.verifier.combination import combine
from ntp.verifier.features import ScoreFeatures
from ntp.verifier.scoring import TacticScores

CALIBRATION_FILE = "calibration.json"

PerHead = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Per head, the standardisation of the features and a linear map to log-odds.

    Attributes:
        features: The F features of a tactic.
        mean: Means of the features over validation attempts, K tuples of F.
        std: Their standard deviations.
        slope: Log-odds of a correct tactic per standard deviation (inverse temperatures).
        offset: Log-odds at the means, K tuples of one.
        combination: What the heads are worth together; None in ensembles of an older version.
    """

    features: ScoreFeatures
    mean: PerHead
    std: PerHead
    slope: PerHead
    offset: PerHead
    combination: Combination | None = None

    def save(self, directory: Path) -> None:
        """Write it next to the heads."""
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
            features = ScoreFeatures(**fields["features"])
            mean, std, slope, offset = (
                tuple(tuple(map(float, row)) for row in fields[name])
                for name in ("mean", "std", "slope", "offset")
            )
            learned = fields.get("combination")
            if learned is not None:
                learned = Combination(tuple(learned.pop("weights")), **learned)
            return cls(features, mean, std, slope, offset, learned)
        except (OSError, ValueError, KeyError, TypeError, ConfigError) as error:
            raise CheckpointError(f"no calibration of a verifier in {directory}: {error}") from error

    def log_odds(self, tactics: TacticScores) -> Tensor:
        """Calibrated log-odds that each tactic is correct, (K, N)."""
        features_FKN = self.features.of(tactics)
        mean_FK1, std_FK1, slope_FK1, offset_FK1 = (
            torch.tensor(rows, dtype=features_FKN.dtype, device=features_FKN.device).T[..., None]
            for rows in (self.mean, self.std, self.slope, self.offset)
        )
        return (slope_FK1 * (features_FKN - mean_FK1) / std_FK1).sum(0) + offset_FK1[0]


def calibrate(
    tactics: TacticScores, label_N: Tensor, num_tried_N: Tensor, features: ScoreFeatures
) -> Calibration:
    """Fit a calibration on validation attempts: logistic regression per head (Platt 1999).

    Args:
        tactics: N scored tactics, distinct in their states.
        label_N: 1 for correct, 0 for incorrect.
        num_tried_N: How often each was sampled, its weight in the fit, since a policy samples correct tactics
            more often. Attempts dropped by balancing do not count: the odds are those of balanced attempts.
        features: The features of a tactic.

    Raises:
        DataError: All labels are equal.
    """
    if label_N.min() == label_N.max():
        raise DataError("all labels of the validation attempts are equal: a verifier cannot be calibrated")
    features_FKN = features.of(tactics).double()
    mean_FK, std_FK = features_FKN.mean(2), features_FKN.std(2).clamp_min(1e-6)
    standard_FKN = (features_FKN - mean_FK[..., None]) / std_FK[..., None]
    slope_FK = torch.ones_like(mean_FK, requires_grad=True)
    offset_K = torch.zeros_like(mean_FK[0], requires_grad=True)
    optimizer = torch.optim.LBFGS([slope_FK, offset_K], max_iter=300, line_search_fn="strong_wolfe")
    share_N = num_tried_N.double() / num_tried_N.sum()
    target_KN = label_N.double().expand_as(standard_FKN[0])

    def closure() -> Tensor:
        optimizer.zero_grad()
        logit_KN = (slope_FK[..., None] * standard_FKN).sum(0) + offset_K[:, None]
        loss_KN = binary_cross_entropy_with_logits(logit_KN, target_KN, reduction="none")
        loss = (loss_KN * share_N).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    mean, std, slope, offset = map(_rows, (mean_FK, std_FK, slope_FK, offset_K[None]))
    calibration = Calibration(features, mean, std, slope, offset)
    return replace(calibration, combination=combine(calibration.log_odds(tactics), label_N, num_tried_N))


def _rows(values_FK: Tensor) -> PerHead:
    return tuple(tuple(row) for row in values_FK.detach().T.tolist())
