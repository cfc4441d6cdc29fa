"""A trained ensemble of verifiers that scores tactics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor
from torch.nn.functional import logsigmoid

from ntp.errors import CheckpointError
from ntp.policy.policy import TacticPolicy
from ntp.rewards.aggregation import Aggregation, Learned, disagreement
from ntp.verifier.calibration import Calibration
from ntp.verifier.model import VerifierModel
from ntp.verifier.scoring import score_tactics


@dataclass(frozen=True, slots=True)
class EnsembleScores:
    """Scores of N tactics by K heads.

    Attributes:
        log_odds_KN: Calibrated log-odds that a tactic leads to a provable state.
    """

    log_odds_KN: Tensor

    @property
    def disagreement_N(self) -> Tensor:  # noqa: N802 - the suffix is the shape
        """Standard deviation of the log-odds over heads."""
        return disagreement(self.log_odds_KN)


class VerifierEnsemble:
    """K calibrated heads on a frozen backbone.

    Args:
        model: The heads and the backbone.
        calibration: The heads' calibration.
    """

    def __init__(self, model: VerifierModel, calibration: Calibration) -> None:
        self.model = model
        self.calibration = calibration

    @classmethod
    def load(cls, backbone: TacticPolicy, directory: Path) -> VerifierEnsemble:
        """Load a saved ensemble onto its backbone, which is modified in place.

        Raises:
            CheckpointError: It is for another backbone or tokenizer, incomplete or corrupt.
        """
        calibration = Calibration.load(directory)
        return cls(VerifierModel.load(backbone.eval(), directory), calibration)

    @property
    def num_heads(self) -> int:
        """K."""
        return self.model.num_heads

    def aggregation(self, chosen: Aggregation) -> Aggregation:
        """A chosen aggregation, with what was learned in place of `Learned`.

        Raises:
            CheckpointError: Nothing was.
        """
        if not isinstance(chosen, Learned):
            return chosen
        if self.calibration.combination is None:
            raise CheckpointError("these verifiers know no learned combination: train them again")
        return self.calibration.combination

    def score(self, questions: Sequence[tuple[str, str]]) -> EnsembleScores:
        """Scores of N pairs of a state and a tactic, at least one; equal pairs are computed once."""
        rows: dict[str, dict[str, int]] = {}
        for state, tactic in questions:
            rows.setdefault(state, {})[tactic] = 0
        pairs = [(state, tactic) for state, tactics in rows.items() for tactic in tactics]
        place = {pair: n for n, pair in enumerate(pairs)}
        scored = score_tactics(self.model, list(rows), [list(tactics) for tactics in rows.values()])
        order = [place[pair] for pair in questions]
        return EnsembleScores(self.calibration.log_odds(scored)[:, order])


@dataclass(frozen=True, slots=True)
class EnsembleCritic:
    """Guides a search with one aggregated score per tactic.

    Attributes:
        ensemble: Scores the tactics.
        aggregation: Aggregates the heads' log-odds.
    """

    ensemble: VerifierEnsemble
    aggregation: Aggregation

    def log_correct(self, states: Sequence[str], tactics: Sequence[Sequence[str]]) -> list[list[float]]:
        """Log-probability that each tactic of each state leads to a provable state, in nats."""
        questions = [(state, tactic) for state, row in zip(states, tactics, strict=True) for tactic in row]
        if not questions:
            return [[] for _ in states]
        log_odds_N = self.aggregation(self.ensemble.score(questions).log_odds_KN)
        flat = iter(logsigmoid(log_odds_N).tolist())
        return [[next(flat) for _ in row] for row in tactics]
