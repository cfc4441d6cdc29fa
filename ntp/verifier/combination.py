"""What heads and their disagreement are worth: a logistic regression on the heads' calibrated log-odds."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from ntp.rewards.aggregation import Combination, disagreement

# Pulls towards the mean of the heads, where few attempts would fit anything.
RIDGE = 1e-3


def combine(log_odds_KN: Tensor, label_N: Tensor, num_tried_N: Tensor, ridge: float = RIDGE) -> Combination:
    """Fit a combination of heads to attempts that none of them was trained on.

    Minimises the binary cross-entropy plus `ridge` times the squared distance of the weights from those of
    the mean, 1 / K for each head and 0 for disagreement and offset.

    Args:
        log_odds_KN: Calibrated log-odds of N tactics by K heads.
        label_N: 1 for correct, 0 for incorrect.
        num_tried_N: How often each was sampled, its weight in the fit.
        ridge: Strength of the pull towards the mean, at least 0.
    """
    num_heads = len(log_odds_KN)
    log_odds_KN = log_odds_KN.double()
    constant_N = torch.ones_like(log_odds_KN[0])
    features_FN = torch.cat([log_odds_KN, disagreement(log_odds_KN)[None], constant_N[None]])
    mean_F = torch.tensor([1 / num_heads] * num_heads + [0.0, 0.0], dtype=torch.float64)
    weight_F = mean_F.clone().requires_grad_()
    share_N = num_tried_N.double() / num_tried_N.sum()
    optimizer = torch.optim.LBFGS([weight_F], max_iter=300, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (
            binary_cross_entropy_with_logits(
                weight_F @ features_FN, label_N.double(), share_N, reduction="sum"
            )
            + ridge * (weight_F - mean_F).square().sum()
        )
        loss.backward()
        return loss

    optimizer.step(closure)
    *weights, disagreement_weight, offset = weight_F.tolist()
    return Combination(tuple(weights), disagreement_weight, offset)
