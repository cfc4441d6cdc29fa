"""The diagonal of a language model's Fisher information, with its head fitted to the texts first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from ntp.formalization.alignment.probe import head_inputs


def fit_head(
    model: PreTrainedModel, texts: Sequence[Tensor], num_epochs: int, lr: float, generator: torch.Generator
) -> None:
    """Fit the output layer of a model to texts by Adam, one text a step; nothing else changes.

    What the layer reads does not depend on its weights, so it is computed once.

    Args:
        model: A model whose output layer is its own.
        texts: Token ids of each text, (L,).
        num_epochs: Passes over the texts.
        lr: Learning rate.
        generator: Source of the order of texts.
    """
    head = model.get_output_embeddings()
    assert isinstance(head, nn.Module)
    with torch.no_grad():
        read = [head_inputs(model, ids_L)[:-1] for ids_L in texts]
    optimizer = torch.optim.Adam(head.parameters(), lr=lr)
    for _ in range(num_epochs):
        for index in torch.randperm(len(texts), generator=generator).tolist():
            loss = functional.cross_entropy(head(read[index]), texts[index][1:])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def diagonal_fisher(
    model: PreTrainedModel,
    texts: Sequence[Tensor],
    weights: Mapping[str, nn.Parameter],
    num_samples: int,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """The diagonal of the Fisher information of some weights, per predicted token.

    It is the mean over tokens x_t of E[(d log p(y | x_<t) / dw)^2] with y drawn from the model itself, not
    from the text: with the text's own tokens it would be the empirical Fisher information, another quantity.
    The gradients of all tokens of a text are squared together. Tokens are drawn independently and scores have
    mean zero, so products of different tokens vanish in expectation and the estimate has no bias.

    Args:
        model: A causal language model.
        texts: Token ids of each text, (L,) with L >= 2.
        weights: The weights by name.
        num_samples: Draws of all tokens of a text.
        generator: Source of the draws.

    Returns:
        For each weight its part of the diagonal, in its shape.
    """
    total = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    num_tokens = 0
    for ids_L in texts:
        log_p_LV = model(input_ids=ids_L[None], use_cache=False).logits[0, :-1].log_softmax(-1)
        drawn_LS = torch.multinomial(
            log_p_LV.detach().exp(), num_samples, replacement=True, generator=generator
        )
        for sample in range(num_samples):
            log_p = log_p_LV.gather(1, drawn_LS[:, sample, None]).sum()
            is_last = sample == num_samples - 1
            gradients = torch.autograd.grad(
                log_p, list(weights.values()), retain_graph=not is_last, allow_unused=True
            )
            for name, gradient in zip(weights, gradients, strict=True):
                if gradient is not None:
                    total[name] += gradient.square()
        num_tokens += len(log_p_LV)
    return {name: value / (num_tokens * num_samples) for name, value in total.items()}
