"""What of a verifier's log-probabilities speaks for a tactic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ntp.errors import ConfigError
from ntp.verifier.scoring import TacticScores

# In nats, of whole tactics. The likelihood is V-STaR's score (Hosseini et al. 2024): it holds what the
# backbone knows already, which the log-ratio, the implicit reward of DPO (Rafailov et al. 2023), leaves out.
KINDS: Mapping[str, Callable[[TacticScores], Tensor]] = {
    "likelihood": lambda scores: scores.log_p_KN,
    "log_ratio": lambda scores: scores.log_ratio_KN,
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """A number per head and tactic that grows with the belief in the tactic.

    Attributes:
        kind: `likelihood`, log p_k, or `log_ratio`, log p_k - log p_ref.
        length_exponent: It is divided by the number of tokens to this power (0: whole tactics, 1: per token).
        beta: Of the objective that the heads learned: log-odds per nat of log-ratio; None without.

    Raises:
        ConfigError: The kind is unknown.
    """

    kind: str
    length_exponent: float
    beta: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"module.evidence={self.kind} is unknown: choose one of {', '.join(KINDS)}")

    def of(self, scores: TacticScores) -> Tensor:
        """The evidence for each tactic, (K, N)."""
        return KINDS[self.kind](scores) / scores.num_tokens_N**self.length_exponent

    def implied_probability(self, scores: TacticScores) -> Tensor:
        """The probability of a correct tactic that the objective itself implies, uncalibrated, (K, N).

        That is sigmoid(beta log-ratio), or for heads trained on likelihood the geometric mean of the tokens'.
        """
        if self.beta is None:
            return (scores.log_p_KN / scores.num_tokens_N).exp()
        return torch.sigmoid(self.beta * scores.log_ratio_KN)
