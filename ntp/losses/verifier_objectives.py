"""One interface for every objective that trains a verifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from ntp.losses.preference import dpo_loss, label_loss, likelihood_loss


@dataclass(frozen=True, slots=True)
class PairBatch:
    """A pair of tactics in each of S states for each of K heads; the last dimension is (correct, incorrect).

    Attributes:
        log_p_KSP: log p_k of the tactics, in nats, differentiable.
        log_ref_KSP: log p of the bare backbone.
        num_tokens_KSP: Tokens of each tactic, stop token included.
        weight_KS: How often the state is in the head's bootstrap sample.
    """

    log_p_KSP: Tensor
    log_ref_KSP: Tensor
    num_tokens_KSP: Tensor
    weight_KS: Tensor

    @property
    def log_ratio_KSP(self) -> Tensor:  # noqa: N802 - the suffix is the shape
        """Log p_k - log p_ref."""
        return self.log_p_KSP - self.log_ref_KSP


class VerifierObjective(Protocol):
    """A loss on pairs: the sum of what each head would have alone.

    Attributes:
        beta: Log-odds of a correct tactic per nat of log-ratio; None where the likelihood is the score.
    """

    @property
    def beta(self) -> float | None: ...  # noqa: D102 - an attribute

    def __call__(self, batch: PairBatch) -> Tensor:
        """A differentiable scalar."""
        ...


@dataclass(frozen=True, slots=True)
class DirectPreference:
    """DPO.

    Attributes:
        beta: Nats of reward per nat of log-ratio.
    """

    beta: float = 0.1

    def __call__(self, batch: PairBatch) -> Tensor:
        """`ntp.losses.preference.dpo_loss`."""
        reward_KSP = self.beta * batch.log_ratio_KSP
        return dpo_loss(reward_KSP[..., 0], reward_KSP[..., 1], batch.weight_KS)


@dataclass(frozen=True, slots=True)
class LabelCrossEntropy:
    """Binary cross-entropy of the label, with the log-ratio as log-odds.

    Attributes:
        beta: Log-odds per nat of log-ratio.
    """

    beta: float = 0.1

    def __call__(self, batch: PairBatch) -> Tensor:
        """`ntp.losses.preference.label_loss`, of both tactics of each pair."""
        logit_KN = self.beta * batch.log_ratio_KSP.flatten(1)
        label_N = torch.tensor([1.0, 0.0], device=logit_KN.device).repeat(batch.weight_KS.shape[1])
        return label_loss(logit_KN, label_N, batch.weight_KS.repeat_interleave(2, dim=1))


@dataclass(frozen=True, slots=True)
class CorrectLikelihood:
    """Maximum likelihood of the correct tactics: the language-model form, blind to incorrect ones."""

    beta: ClassVar[None] = None

    def __call__(self, batch: PairBatch) -> Tensor:
        """`ntp.losses.preference.likelihood_loss`."""
        ones_S = torch.ones_like(batch.weight_KS[0])
        correct = (batch.log_p_KSP[..., 0], ones_S, batch.num_tokens_KSP[..., 0])
        return likelihood_loss(*correct, batch.weight_KS)
