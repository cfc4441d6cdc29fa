"""Task2Vec of texts: the diagonal Fisher information of a probe's weights as an embedding of a batch.

Achille et al. 2019 (Task2Vec) for images; Lee et al. 2023 (the diversity coefficient) for texts. The code
published with the latter shuffles with one constant seed, so that all batches are the same where texts are
not selected, and maps the source with the target's function. Here batches are disjoint, and every draw has
a seed of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from ntp.formalization.alignment.fisher import diagonal_fisher, fit_head
from ntp.formalization.alignment.measures import PairwiseMeasure
from ntp.formalization.alignment.probe import Probe
from ntp.seeding import derive_seed

Embedding = NDArray[np.float64]
# Guards the quotient of a weight that neither batch informs about, as in the published code.
_EPS = 1e-8


@dataclass
class Task2Vec(PairwiseMeasure[Embedding]):
    """The expected distance between Task2Vec embeddings.

    Attributes:
        probe: The language model.
        num_epochs: Passes over a batch in which the head is fitted to it.
        lr: Learning rate of the fit.
        num_samples: Draws of the targets from the model.
        seed: Seed of all draws.
        name: Name in tables.
    """

    probe: Probe
    num_epochs: int
    lr: float
    num_samples: int
    seed: int = 0
    name: str = field(default="task2vec", init=False)

    def represent(self, texts: Sequence[str]) -> Embedding:
        """The embedding of a batch: the Fisher information of each unit of the probe, its head left out.

        A unit's is the mean over the weights that it reads with, as that of a filter is for images.

        Returns:
            One number per unit, (D,).
        """
        model = self.probe.with_own_head()
        ids = self.probe.encode(texts)
        # On the CPU, so that draws do not depend on the device; and one seed for each batch.
        order = torch.Generator().manual_seed(derive_seed(self.seed, "head", *texts))
        draws = torch.Generator(model.device).manual_seed(derive_seed(self.seed, "targets", *texts))
        fit_head(model, ids, self.num_epochs, self.lr, order)
        units = unit_weights(model)
        weights = {name: weight for name, (weight, _) in units.items()}
        fisher = diagonal_fisher(model, ids, weights, self.num_samples, draws)
        parts = [per_unit(fisher[name], inputs) for name, (_, inputs) in units.items()]
        return torch.cat(parts).double().cpu().numpy()

    def distance(self, one: Embedding, other: Embedding) -> float:
        """The cosine distance between the embeddings, both divided by their sum, from 0 to 1."""
        return normalised_cosine_distance(one, other)


def normalised_cosine_distance(one: Embedding, other: Embedding) -> float:
    """1 - cos(a / (a + b + eps), b / (a + b + eps)), the symmetric distance of Achille et al. 2019.

    Weights with much information would outweigh all others in the plain cosine.
    """
    total = one + other + _EPS
    a, b = one / total, other / total
    norm = np.linalg.norm(a) * np.linalg.norm(b)
    return float(1 - a @ b / norm) if norm > 0 else 0.0


def unit_weights(model: nn.Module) -> dict[str, tuple[nn.Parameter, int | None]]:
    """The weights of all layers but the head, each with the dimension of a unit's inputs.

    A unit of an embedding is a token. Where there is one number a unit (norms), there is no such dimension.
    """
    head = model.get_output_embeddings()  # pyright: ignore[reportCallIssue]
    found: dict[str, tuple[nn.Parameter, int | None]] = {}
    for name, module in model.named_modules():
        weight = getattr(module, "weight", None)
        if module is head or not isinstance(weight, nn.Parameter):
            continue
        inputs = None if weight.dim() == 1 else 0 if isinstance(module, Conv1D) else 1
        found[name] = (weight, inputs)
    return found


def per_unit(fisher: Tensor, inputs: int | None) -> Tensor:
    """The mean over the inputs of each unit, as a vector."""
    return (fisher if inputs is None else fisher.mean(inputs)).flatten()
