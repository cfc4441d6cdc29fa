"""Objectives that train a verifier on kernel-labelled tactics.

A head's implicit reward for a tactic is r_k = beta (log p_k - log p_ref), the log-ratio of head and bare
backbone. Heads are independent: every loss is a sum over heads, and a head has the gradient it has alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from ntp.bounds import PositiveFloat
from ntp.losses.batch import PairBatch


def dpo_loss(reward_chosen_KN: Tensor, reward_rejected_KN: Tensor, weight_KN: Tensor) -> Tensor:
    """Direct preference optimisation (Rafailov et al. 2023, eq. 7), summed over heads.

    -log sigmoid(r_k(chosen) - r_k(rejected)), averaged over pairs with the weights of the head's bootstrap
    sample.

    Args:
        reward_chosen_KN: Implicit rewards of correct tactics, in nats.
        reward_rejected_KN: Those of incorrect tactics in the same states.
        weight_KN: How often each pair is in each head's sample; a head whose weights are all 0 has no loss.
    """
    return _weighted(-logsigmoid(reward_chosen_KN - reward_rejected_KN), weight_KN)


def label_loss(logit_KN: Tensor, label_N: Tensor, weight_KN: Tensor) -> Tensor:
    """Binary cross-entropy of the label, summed over heads.

    Args:
        logit_KN: Log-odds that the tactic is correct.
        label_N: 1 for correct, 0 for incorrect.
        weight_KN: As for `dpo_loss`.
    """
    sign_N = 2 * label_N.to(logit_KN.dtype) - 1
    return _weighted(-logsigmoid(sign_N * logit_KN), weight_KN)


def likelihood_loss(log_p_KN: Tensor, label_N: Tensor, num_tokens_N: Tensor, weight_KN: Tensor) -> Tensor:
    """Mean negative log-likelihood per token of the correct tactics alone, summed over heads.

    Args:
        log_p_KN: log p_k of the tactics, in nats.
        label_N: As for `label_loss`.
        num_tokens_N: Tokens of each tactic, stop token included.
        weight_KN: As for `dpo_loss`.
    """
    return _weighted(-log_p_KN / num_tokens_N, weight_KN * label_N)


def _weighted(loss_KN: Tensor, weight_KN: Tensor) -> Tensor:
    total_K = weight_KN.sum(1)
    return ((loss_KN * weight_KN).sum(1) / total_K.clamp(min=1)).sum()


@dataclass(frozen=True, slots=True)
class DirectPreference:
    """DPO.

    Attributes:
        beta: Nats of reward per nat of log-ratio.
    """

    beta: PositiveFloat = 0.1

    def __call__(self, batch: PairBatch) -> Tensor:
        """`dpo_loss`."""
        reward_KSP = self.beta * batch.log_ratio_KSP
        return dpo_loss(reward_KSP[..., 0], reward_KSP[..., 1], batch.weight_KS)


@dataclass(frozen=True, slots=True)
class LabelCrossEntropy:
    """Binary cross-entropy of the label, with the log-ratio as log-odds.

    Attributes:
        beta: Log-odds per nat of log-ratio.
    """

    beta: PositiveFloat = 0.1

    def __call__(self, batch: PairBatch) -> Tensor:
        """`label_loss`, of both tactics of each pair."""
        logit_KN = self.beta * batch.log_ratio_KSP.flatten(1)
        label_N = torch.tensor([1.0, 0.0], device=logit_KN.device).repeat(batch.weight_KS.shape[1])
        return label_loss(logit_KN, label_N, batch.weight_KS.repeat_interleave(2, dim=1))


@dataclass(frozen=True, slots=True)
class CorrectLikelihood:
    """Maximum likelihood of the correct tactics, as in language modelling; incorrect ones are ignored."""

    beta: ClassVar[None] = None

    def __call__(self, batch: PairBatch) -> Tensor:
        """`likelihood_loss`."""
        ones_S = torch.ones_like(batch.weight_KS[0])
        correct = (batch.log_p_KSP[..., 0], ones_S, batch.num_tokens_KSP[..., 0])
        return likelihood_loss(*correct, batch.weight_KS)
