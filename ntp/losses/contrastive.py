"""Losses for dual encoders: states against premises, of which some are the state's own.

All functions are pure. Suffixes: B queries, M documents; similarities are cosines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from ntp.bounds import PositiveFloat
from ntp.errors import ConfigError


class ContrastiveLoss(Protocol):
    """A scalar from the similarities of one batch."""

    def __call__(self, similarity_BM: Tensor, positive_BM: Tensor, target_B: Tensor) -> Tensor:
        """Mean loss over the batch.

        Args:
            similarity_BM: Cosine of each query and each document.
            positive_BM: Whether the document is one of the query's own.
            target_B: For each query the document that was sampled for it, one of its own.
        """
        ...


@dataclass(frozen=True, slots=True)
class InfoNCE:
    """Cross-entropy of the sampled document among the others (van den Oord et al. 2018, equation 4).

    The query's other positives are left out of the sum over negatives.

    Attributes:
        temperature: Divides the cosines.

    Raises:
        ConfigError: The temperature is not positive.
    """

    temperature: PositiveFloat = 0.05

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ConfigError(f"loss.temperature={self.temperature} must be above 0")

    def __call__(self, similarity_BM: Tensor, positive_BM: Tensor, target_B: Tensor) -> Tensor:
        """Mean of `-log softmax(similarity / temperature)` at the target."""
        others_BM = positive_BM.scatter(1, target_B[:, None], False)
        logits_BM = (similarity_BM / self.temperature).masked_fill(others_BM, -torch.inf)
        return functional.cross_entropy(logits_BM, target_B)


@dataclass(frozen=True, slots=True)
class SimilarityMSE:
    """Mean squared difference between cosines and labels, 1 for a query's own documents and 0 for others.

    ReProver's loss (Yang et al. 2023, section 5; `retrieval/model.py` of lean-dojo/ReProver).
    """

    def __call__(self, similarity_BM: Tensor, positive_BM: Tensor, target_B: Tensor) -> Tensor:  # noqa: ARG002
        """Mean over all B x M pairs."""
        return functional.mse_loss(similarity_BM, positive_BM.to(similarity_BM.dtype))
