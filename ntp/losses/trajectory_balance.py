"""Trajectory balance and its form without a learned partition function.

A state of a proof attempt is its whole history, so the backward policy is deterministic (log P_B = 0) and the
balance condition of Malkin et al. (2022, eq. 14) for theorem x and tactic sequence tau reads

    log Z(x) + log P_F(tau | x) = log R(tau).

Any distribution of trajectories with full support may be used to train on it: all losses here are off-policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn import functional as F  # noqa: N812

from ntp.errors import ConfigError
from ntp.losses.batch import Inputs, TrajectoryBatch


class RegressionLoss(Protocol):
    """An elementwise loss of residuals."""

    def __call__(self, residual_N: Tensor, /) -> Tensor:
        """The loss of each residual, same shape."""
        ...


def square(residual_N: Tensor) -> Tensor:
    """r², in nats²."""
    return residual_N.square()


def huber(residual_N: Tensor, delta: float = 1.0) -> Tensor:
    """r² up to |r| = delta, delta (2 |r| - delta) beyond: twice torch's Huber loss, so it extends `square`.

    Args:
        residual_N: Residuals in nats.
        delta: Where the loss becomes linear, in nats; bounds the gradient of each residual by 2 delta.
    """
    zero_N = torch.zeros_like(residual_N)
    return 2 * functional.huber_loss(residual_N, zero_N, reduction="none", delta=delta)


def linex(residual_N: Tensor, limit: float = 3.0) -> Tensor:
    """2 (exp(-r) + r - 1), whose on-policy gradient is that of the forward divergence KL(R / Z || P_F).

    The regression losses of Hu et al. (2025, "Beyond squared error", table 1) have the gradients of
    f-divergences; r² is the reverse divergence KL(P_F || R / Z). The exponential is continued by its tangent
    beyond `limit`, so that no residual outweighs all others. The factor makes it r² near 0.

    Args:
        residual_N: Residuals log Z + log P_F - log R, in nats.
        limit: Where the exponential becomes linear, in nats.
    """
    excess_N = -residual_N
    clipped_N = excess_N.clamp(max=limit)
    return 2 * (clipped_N.exp() * (1 + excess_N - clipped_N) - excess_N - 1)


def jeffreys(residual_N: Tensor, limit: float = 3.0) -> Tensor:
    """exp(r) + exp(-r) - 2, the shifted cosh: both divergences at once; linear beyond `limit`."""
    return (linex(residual_N, limit) + linex(-residual_N, limit)) / 2


REGRESSION_LOSSES: Mapping[str, RegressionLoss] = {
    "square": square,
    "huber": huber,
    "linex": linex,
    "jeffreys": jeffreys,
}


def regression_loss(name: str) -> RegressionLoss:
    """The regression loss with a given name.

    Raises:
        ConfigError: There is no such loss.
    """
    if name not in REGRESSION_LOSSES:
        raise ConfigError(f"loss.regression={name} is unknown: choose one of {', '.join(REGRESSION_LOSSES)}")
    return REGRESSION_LOSSES[name]


def residual(log_pf_N: Tensor, log_reward_N: Tensor, log_z_N: Tensor) -> Tensor:
    """The imbalance of each trajectory, (N,) in nats: log Z + log P_F - log R."""
    return log_z_N + log_pf_N - log_reward_N


def trajectory_balance_loss(
    log_pf_N: Tensor, log_reward_N: Tensor, log_z_N: Tensor, regression: RegressionLoss = square
) -> Tensor:
    """Mean regression loss of the residuals (Malkin et al. 2022, eq. 14), a scalar; 0 for an empty batch.

    Args:
        log_pf_N: log P_F of whole trajectories, (N,).
        log_reward_N: log R, (N,).
        log_z_N: Learned log Z of each trajectory's theorem, (N,).
        regression: Loss of a residual.
    """
    return regression(residual(log_pf_N, log_reward_N, log_z_N)).sum() / max(1, log_pf_N.numel())


def group_deviation(f_N: Tensor, group_N: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Distance of each value from the mean of its group.

    Args:
        f_N: Values, (N,).
        group_N: Integer naming the group of each value, (N,).

    Returns:
        The distances (N,), differentiated through the mean; which of the G groups each value is in, (N,); and
        the sizes of the groups, (G,).
    """
    _, index_N, size_G = torch.unique(group_N, return_inverse=True, return_counts=True)
    mean_G = f_N.new_zeros(size_G.shape).index_add(0, index_N, f_N) / size_G
    return f_N - mean_G[index_N], index_N, size_G


def vargrad_loss(
    log_pf_N: Tensor, log_reward_N: Tensor, group_N: Tensor, regression: RegressionLoss = square
) -> Tensor:
    """Log-variance loss: the unbiased variance of f = log P_F - log R within a group, averaged over groups.

    Richter et al. (2020, VarGrad) and Zhang et al. (2023). The variance of f under any fixed distribution of
    full support is 0 exactly when P_F is proportional to R; minus the mean of f replaces log Z. The gradient
    is 2 Cov(f, grad f). With the square, detaching the mean makes no difference, because deviations from it
    sum to 0. With other losses it does, so the mean is differentiated through: the loss then depends only on
    differences of f, and a shift of all f has no gradient.

    A group of one has no variance and does not count; without larger groups the loss is 0.

    Args:
        log_pf_N: log P_F of whole trajectories, (N,).
        log_reward_N: log R, (N,).
        group_N: Integer naming each trajectory's theorem, (N,). Theorems must never share a group.
        regression: Loss of a deviation from the group's mean; `square` gives the variance.
    """
    deviation_N, index_N, size_G = group_deviation(log_pf_N - log_reward_N, group_N)
    loss_N = regression(deviation_N) / (size_G - 1).clamp(min=1)[index_N]
    return loss_N.sum() / (size_G > 1).sum().clamp(min=1)


def distinguishable_pairs(
    log_reward_N: Tensor, log_reward_std_N: Tensor, group_N: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Every two trajectories i < j of a group, and whether |log R_i - log R_j| >= sigma_ij.

    Args:
        log_reward_N: log R, (N,).
        log_reward_std_N: Its standard deviation over verifiers, (N,).
        group_N: Integer naming each trajectory's theorem, (N,).

    Returns:
        Indices i and j and booleans, (P,) each.
    """
    num = len(group_N)
    first_P, second_P = torch.triu_indices(num, num, offset=1, device=group_N.device)
    together_P = group_N[first_P] == group_N[second_P]
    first_P, second_P = first_P[together_P], second_P[together_P]
    sigma_P = torch.hypot(log_reward_std_N[first_P], log_reward_std_N[second_P])
    kept_P = (log_reward_N[first_P] - log_reward_N[second_P]).abs() >= sigma_P
    return first_P, second_P, kept_P


def pairwise_loss(
    log_pf_N: Tensor,
    log_reward_N: Tensor,
    log_reward_std_N: Tensor,
    group_N: Tensor,
    regression: RegressionLoss = huber,
) -> Tensor:
    """Balance of all pairs of trajectories whose rewards are known to differ, averaged over groups.

    Half the mean over pairs i < j of 1[|log R_i - log R_j| >= sigma_ij] regression(f_i - f_j), where
    f = log P_F - log R and sigma_ij^2 = std_i^2 + std_j^2: a pair whose rewards differ by less than the
    verifiers' disagreement has no loss. Pairs with certain rewards always count, also if they are equal,
    since they balance modes. The mean is over all pairs, so excluded pairs do not add weight to the others.
    With certain rewards and the square this is `vargrad_loss`: trajectory balance without log Z.

    Args:
        log_pf_N: log P_F of whole trajectories, (N,).
        log_reward_N: log R, (N,).
        log_reward_std_N: Standard deviation of log R over verifiers, (N,); 0 if the kernel decided.
        group_N: Integer naming each trajectory's theorem, (N,). Groups of one do not count.
        regression: Loss of a difference.
    """
    f_N = log_pf_N - log_reward_N
    first_P, second_P, kept_P = distinguishable_pairs(log_reward_N, log_reward_std_N, group_N)
    _, index_N, size_G = torch.unique(group_N, return_inverse=True, return_counts=True)
    num_pairs_G = size_G * (size_G - 1) / 2
    loss_P = regression(f_N[first_P] - f_N[second_P]) * kept_P / num_pairs_G[index_N[first_P]]
    return loss_P.sum() / 2 / (size_G > 1).sum().clamp(min=1)


class TrajectoryBalance:
    """Trajectory balance with learned log Z(x).

    Args:
        regression: Loss of a residual, a name of `REGRESSION_LOSSES`.
    """

    inputs: ClassVar[Inputs] = Inputs.FAILURES | Inputs.LOG_Z

    def __init__(self, regression: str = "square") -> None:
        self._regression = regression_loss(regression)

    def __call__(self, batch: TrajectoryBatch) -> Tensor:
        """Mean loss of the residuals log Z + log P_F - log R."""
        assert batch.log_z_N is not None, "trajectory balance needs log Z"
        return trajectory_balance_loss(batch.log_pf_N, batch.log_reward_N, batch.log_z_N, self._regression)


class VarGrad:
    """The log-variance form, with log Z estimated from each theorem's group.

    Args:
        regression: Loss of a deviation, a name of `REGRESSION_LOSSES`.
    """

    inputs: ClassVar[Inputs] = Inputs.FAILURES

    def __init__(self, regression: str = "square") -> None:
        self._regression = regression_loss(regression)

    def __call__(self, batch: TrajectoryBatch) -> Tensor:
        """Mean over theorems of the variance of log P_F - log R."""
        return vargrad_loss(batch.log_pf_N, batch.log_reward_N, batch.group_N, self._regression)


class Pairwise:
    """Balance of pairs of trajectories, except those whose rewards differ by less than their uncertainty.

    Without uncertainty this is contrastive balance (da Silva et al., Embarrassingly Parallel GFlowNets, ICML
    2024) where states are trees: log P_F - log R is alike for any two trajectories of a theorem.

    Args:
        regression: Loss of a difference, a name of `REGRESSION_LOSSES`.
    """

    inputs: ClassVar[Inputs] = Inputs.FAILURES

    def __init__(self, regression: str = "huber") -> None:
        self._regression = regression_loss(regression)

    def __call__(self, batch: TrajectoryBatch) -> Tensor:
        """Mean over theorems of the loss of differences of log P_F - log R."""
        std_N = batch.log_reward_std_N
        if std_N is None:
            std_N = torch.zeros_like(batch.log_reward_N)
        return pairwise_loss(batch.log_pf_N, batch.log_reward_N, std_N, batch.group_N, self._regression)


class LogZ(nn.Module):
    """A linear head on standardised features of the root state.

    Features are scaled to an L1 norm of about 1, so that one step of Adam changes the output by at most about
    twice its learning rate at any width: the rate has the same meaning as for a scalar log Z.

    Args:
        num_features: D.
    """

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.head = nn.Linear(num_features, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, features_BD: Tensor) -> Tensor:
        """Log Z of each theorem, (B,) in nats, from root features (B, D), which get no gradient."""
        num_features = features_BD.shape[-1]
        standard_BD = F.layer_norm(features_BD.detach().float(), (num_features,))
        return self.head(standard_BD / num_features).squeeze(-1)

    @property
    def is_zero(self) -> bool:
        """Whether nothing has been learned or set."""
        return not (self.head.weight.any() or self.head.bias.any())

    @torch.no_grad()
    def start_at(self, log_z: float) -> None:
        """Make the output `log_z` for every theorem."""
        self.head.weight.zero_()
        self.head.bias.fill_(log_z)
