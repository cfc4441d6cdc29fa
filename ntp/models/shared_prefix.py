"""Many continuations of few prompts: every prompt is encoded once and its keys and values are read in place.

A batch of branches is ordered by head, then prompt, then candidate. Attention over the prompt and over the
branch's own tokens are two softmaxes that are merged by their normalisers (Milakov and Gimelshein 2018,
section 3.1), so the prompt's keys are never copied per branch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from ntp.errors import ConfigError

_NAME = "ntp_shared_prefix"


@dataclass(frozen=True, slots=True)
class Prefix:
    """S encoded prompts.

    Attributes:
        keys: Per layer, (S, G, P, D): prompts, key-value heads, tokens, features.
        values: The same for values.
        mask_SP: Which tokens are real.
    """

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]
    mask_SP: Tensor

    @property
    def lengths_S(self) -> Tensor:  # noqa: N802 - the suffix is the shape
        """Tokens of each prompt."""
        return self.mask_SP.sum(1)


def use_shared_prefix(model: PreTrainedModel) -> None:
    """Let a model's attention read shared prompts; without one it is PyTorch's own.

    Raises:
        ConfigError: The model's attention cannot be replaced.
    """
    AttentionInterface.register(_NAME, shared_prefix_attention)
    AttentionMaskInterface.register(_NAME, sdpa_mask)
    try:
        model.set_attn_implementation(_NAME)
    except ValueError as error:
        raise ConfigError(
            f"the attention of a {model.config.model_type} model cannot share prompts: {error}"
        ) from error


@torch.no_grad()
def encode_prompts(model: PreTrainedModel, prompts: Sequence[Sequence[int]]) -> Prefix:
    """Encode prompts, each of at least one token, in evaluation mode."""
    device, training = model.device, model.training
    ids_SP = pad_sequence([torch.tensor(prompt, device=device) for prompt in prompts], batch_first=True)
    lengths_S = torch.tensor([len(prompt) for prompt in prompts], device=device)
    position_SP = torch.arange(ids_SP.shape[1], device=device).expand_as(ids_SP)
    model.eval()  # in training mode a model with gradient checkpointing has no cache
    try:
        cache = model.base_model(input_ids=ids_SP, position_ids=position_SP, use_cache=True).past_key_values
    finally:
        model.train(training)
    return Prefix(
        tuple(layer.keys for layer in cache.layers),
        tuple(layer.values for layer in cache.layers),
        position_SP < lengths_S[:, None],
    )


def encode_branches(model: PreTrainedModel, prefix: Prefix, ids_KSNL: Tensor) -> Tensor:
    """Last hidden states of branches that continue their prompts, (K, S, N, L, D).

    Args:
        model: With `use_shared_prefix`.
        prefix: S prompts.
        ids_KSNL: For each of K heads, N branches of L tokens for each of S prompts. Padding comes last.
    """
    steps_L = torch.arange(ids_KSNL.shape[-1], device=ids_KSNL.device)
    position_KSNL = (prefix.lengths_S[:, None, None] + steps_L).expand_as(ids_KSNL)
    hidden_BLD = model.base_model(
        input_ids=ids_KSNL.flatten(0, 2),
        position_ids=position_KSNL.flatten(0, 2),
        use_cache=False,
        prefix=prefix,
        num_branches=ids_KSNL.shape[2],
    ).last_hidden_state
    return hidden_BLD.view(*ids_KSNL.shape, -1)


def shared_prefix_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    prefix: Prefix | None = None,
    num_branches: int = 1,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Causal attention, with a prefix also over its prompts; has the signature that transformers expects.

    Args:
        module: The attention layer; `layer_idx` is the index of its keys in the prefix.
        query: (B, H, L, D), where B = K * S * N counts heads, prompts and branches.
        key: (B, G, L, D).
        value: (B, G, L, D).
        attention_mask: Not used with a prefix.
        scaling: Factor of the scores.
        prefix: The S prompts that the rows continue.
        num_branches: N.
        **kwargs: Passed on if there is no prefix.

    Returns:
        (B, L, H, D), and no weights.
    """
    if prefix is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)
    num_rows, num_heads, length, dim = query.shape
    num_prompts, num_groups = prefix.keys[0].shape[:2]
    scale = dim**-0.5 if scaling is None else scaling
    # H = G * Q, where Q query heads share a key-value head. K, S, N as in the batch.
    query_KSNGQLD = (query * scale).view(
        -1, num_prompts, num_branches, num_groups, num_heads // num_groups, length, dim
    )

    causal_LL = torch.ones(length, length, dtype=torch.bool, device=query.device).tril()
    own = _attend(query_KSNGQLD.flatten(0, 2), key[:, :, None], value[:, :, None], causal_LL)

    # The queries of all heads and branches of a prompt are multiplied with its keys at once.
    query_SGKNQLD = query_KSNGQLD.permute(1, 3, 0, 2, 4, 5, 6)
    layer = module.layer_idx
    assert isinstance(layer, int)
    past = _attend(
        query_SGKNQLD.flatten(2, 5),
        prefix.keys[layer].to(query.dtype),
        prefix.values[layer].to(value.dtype),
        prefix.mask_SP[:, None, None],
    )
    past_by_row = tuple(
        part.view(*query_SGKNQLD.shape[:6], -1).permute(2, 0, 3, 1, 4, 5, 6).flatten(0, 2) for part in past
    )
    out_BGQLD = _merge(own, past_by_row)
    return out_BGQLD.permute(0, 3, 1, 2, 4).reshape(num_rows, length, num_heads, dim), None


def _attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
    """Unnormalised attention: weighted values (..., L, D), sum of weights and maximum score, (..., L, 1).

    The weights are relative to the maximum score. If nothing may be attended to, that score is the lowest
    finite number, so that the part has no weight in a merge.
    """
    scores = (query @ key.transpose(-1, -2)).float()
    scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    greatest = scores.detach().amax(-1, keepdim=True)
    weights = (scores - greatest).exp()
    return weights.to(value.dtype) @ value, weights.sum(-1, keepdim=True), greatest


def _merge(one: Sequence[Tensor], other: Sequence[Tensor]) -> Tensor:
    """Attention over the union of both parts."""
    greatest = torch.maximum(one[2], other[2])
    share_one, share_other = (one[2] - greatest).exp(), (other[2] - greatest).exp()
    total = share_one * one[1] + share_other * other[1]
    return (share_one * one[0] + share_other * other[0]).div(total).to(one[0].dtype)
