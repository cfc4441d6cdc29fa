"""Learned log Z(x): the log of a theorem's total reward, read off its root state."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812


class LogZ(nn.Module):
    """A linear head on standardised features of the root state.

    Features are scaled to an L1 norm of about 1, so that one step of Adam moves the output by no more than
    about twice its learning rate, whatever the width: the rate then means what it means for a scalar log Z.

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
