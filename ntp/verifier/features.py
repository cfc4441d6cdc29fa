"""What of a verifier's log-probabilities speaks for a tactic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ntp.errors import ConfigError
from ntp.verifier.scoring import TacticScores

# One or more numbers per head and tactic, (F, K, N), in nats, of whole tactics. The log-ratio is the implicit
# reward of DPO (Rafailov et al. 2023, eq. 5), which leaves out what the backbone knows already. The
# likelihood, V-STaR's score (Hosseini et al. 2024), adds the two; `joint` lets the calibration weigh them.
KINDS: Mapping[str, Callable[[TacticScores], Tensor]] = {
    "likelihood": lambda s: s.log_p_KN[None],
    "log_ratio": lambda s: s.log_ratio_KN[None],
    "joint": lambda s: torch.stack([s.log_ref_N.expand_as(s.log_p_KN), s.log_ratio_KN]),
}


@dataclass(frozen=True, slots=True)
class ScoreFeatures:
    """Numbers per head and tactic that the calibration weighs, with either sign.

    Attributes:
        kind: `likelihood`, log p_k; `log_ratio`, log p_k - log p_ref; `joint`, log p_ref and the log-ratio.
        length_exponent: They are divided by the number of tokens to this power (0: whole, 1: per token).
        beta: Of the objective that the heads learned: log-odds per nat of log-ratio; None without.

    Raises:
        ConfigError: The kind is unknown.
    """

    kind: str
    length_exponent: float
    beta: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"module.features={self.kind} is unknown: choose one of {', '.join(KINDS)}")

    def of(self, scores: TacticScores) -> Tensor:
        """The F numbers for each tactic, (F, K, N)."""
        return KINDS[self.kind](scores) / scores.num_tokens_N**self.length_exponent

    def implied_probability(self, scores: TacticScores) -> Tensor:
        """The probability of a correct tactic that the objective itself implies, uncalibrated, (K, N).

        That is sigmoid(beta log-ratio), or for heads trained on likelihood the geometric mean of the tokens'.
        """
        if self.beta is None:
            return (scores.log_p_KN / scores.num_tokens_N).exp()
        return torch.sigmoid(self.beta * scores.log_ratio_KN)
