"""How probable it is that a proof is finished after a suggestion: logistic regression on held-out proofs."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from ntp.errors import CheckpointError, DataError
from ntp.jsonl import atomic_write
from ntp.serve.suggestions import Suggestion

CALIBRATION_FILE = "copilot_calibration.json"
FEATURES = (
    "from_policy",
    "log_prob",
    "log_correct",
    "closes_goal",
    "num_goals_after",
    "added_goals",
    "log_goal_length",
    "log_text_length",
)
# Variance of the prior of a weight, which keeps weights finite where a feature separates the labels.
_PRIOR_VARIANCE = 10.0


def features(suggestion: Suggestion, num_goals_before: int) -> list[float]:
    """What is known about a suggestion, in the order of `FEATURES`."""
    num_after = len(suggestion.goals_after)
    values = [
        float(suggestion.source == "policy"),
        max(suggestion.log_prob, -30.0),
        max(suggestion.log_correct, -30.0),
        float(suggestion.closes_goal),
        min(num_after, 10.0),
        max(-5.0, min(num_after - num_goals_before, 5.0)),
        math.log1p(sum(map(len, suggestion.goals_after))),
        math.log1p(len(suggestion.text)),
    ]
    return [float(value) for value in values]


@dataclass(frozen=True, slots=True)
class Calibration:
    """A linear map from standardised features to log-odds.

    Attributes:
        mean: Means of the features over the fitted suggestions.
        std: Their standard deviations.
        weight: Log-odds per standard deviation.
        offset: Log-odds at the means.
        num: Number of suggestions that it was fitted on.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    weight: tuple[float, ...]
    offset: float
    num: int

    def probability(self, suggestion: Suggestion, num_goals_before: int) -> float:
        """See `Calibrator.probability`."""
        return self.of(features(suggestion, num_goals_before))

    def of(self, values: Sequence[float]) -> float:
        """The probability for values of the features."""
        terms = zip(values, self.mean, self.std, self.weight, strict=True)
        return 1 / (1 + math.exp(-self.offset - sum(w * (x - m) / s for x, m, s, w in terms)))

    def save(self, directory: Path) -> None:
        """Write it into a directory."""
        with atomic_write(directory / CALIBRATION_FILE) as stream:
            stream.write(json.dumps({"features": FEATURES, **asdict(self)}, indent=2) + "\n")

    @classmethod
    def load(cls, directory: Path) -> Calibration:
        """Read what `save` wrote.

        Raises:
            CheckpointError: It is missing, corrupt, or of other features.
        """
        path = directory / CALIBRATION_FILE
        try:
            found = json.loads(path.read_text())
            if tuple(found["features"]) != FEATURES:
                raise ValueError("it is for other features; calibrate again")
            mean, std, weight = (tuple(map(float, found[name])) for name in ("mean", "std", "weight"))
            return cls(mean, std, weight, float(found["offset"]), int(found["num"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(
                f"serve.calibration={directory}: no calibration there ({error}): give the output directory "
                "of +experiment=copilot_calibration"
            ) from error


def calibrate(rows: Sequence[Sequence[float]], labels: Sequence[bool]) -> Calibration:
    """Fit a calibration (Platt 1999) with a weak normal prior on the weights.

    Args:
        rows: Features of N suggestions.
        labels: Whether the proof was finished after each.

    Raises:
        DataError: All labels are equal.
    """
    label_N = np.asarray(labels, dtype=float)
    if label_N.size == 0 or label_N.min() == label_N.max():
        raise DataError(
            f"a copilot cannot be calibrated on {label_N.size} suggestions of one kind: assess more steps "
            "(serve.num_steps)"
        )
    value_NF = np.asarray(rows, dtype=float)
    mean_F, std_F = value_NF.mean(0), np.maximum(value_NF.std(0), 1e-6)
    standard_NF = (value_NF - mean_F) / std_F

    def loss(params: np.ndarray) -> tuple[float, np.ndarray]:
        logit_N = standard_NF @ params[1:] + params[0]
        nll = np.logaddexp(0, logit_N).sum() - label_N @ logit_N
        error_N = 1 / (1 + np.exp(-logit_N)) - label_N
        gradient = np.concatenate([[error_N.sum()], standard_NF.T @ error_N + params[1:] / _PRIOR_VARIANCE])
        return nll + params[1:] @ params[1:] / (2 * _PRIOR_VARIANCE), gradient

    fitted = minimize(loss, np.zeros(len(FEATURES) + 1), jac=True, method="L-BFGS-B").x
    weight = tuple(fitted[1:].tolist())
    return Calibration(tuple(mean_F.tolist()), tuple(std_F.tolist()), weight, float(fitted[0]), label_N.size)
