"""The features of a tactic, computed from a verifier's log-probabilities, that its calibrated score uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ntp.errors import ConfigError
from ntp.verifier.scoring import TacticScores

# One or more numbers per head and tactic, (F, K, N), in nats, of whole tactics. The log-ratio is the implicit
# reward of DPO (Rafailov et al. 2023, eq. 5), which excludes what the backbone already knows. The likelihood,
# V-STaR's score (Hosseini et al. 2024), is the sum of both; with `joint` the calibration weighs them.
KINDS: Mapping[str, Callable[[TacticScores], Tensor]] = {
    "likelihood": lambda s: s.log_p_KN[None],
    "log_ratio": lambda s: s.log_ratio_KN[None],
    "joint": lambda s: torch.stack([s.log_ref_N.expand_as(s.log_p_KN), s.log_ratio_KN]),
}


@dataclass(frozen=True, slots=True)
class ScoreFeatures:
    """Numbers per head and tactic that the calibration weighs, with weights of either sign.

    Attributes:
        kind: `likelihood`, log p_k; `log_ratio`, log p_k - log p_ref; `joint`, log p_ref and the log-ratio.
        length_exponent: They are divided by the number of tokens to this power (0: whole, 1: per token).
        beta: Log-odds per nat of log-ratio in the heads' objective; None for objectives without it.

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
        """The F features of each tactic, (F, K, N)."""
        return KINDS[self.kind](scores) / scores.num_tokens_N**self.length_exponent

    def implied_probability(self, scores: TacticScores) -> Tensor:
        """The uncalibrated probability of a correct tactic that the objective implies, (K, N).

        This is sigmoid(beta log-ratio), or the geometric mean of the tokens' probabilities for heads trained
        on likelihood.
        """
        if self.beta is None:
            return (scores.log_p_KN / scores.num_tokens_N).exp()
        return torch.sigmoid(self.beta * scores.log_ratio_KN)
