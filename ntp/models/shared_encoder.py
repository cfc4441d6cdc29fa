"""Cross-attention of many decoder rows to few encoded inputs, whose keys and values are never copied.

The rows of the decoder are ordered by input: with S inputs and N rows for each, rows 0 to N - 1 attend to the
first input, the next N to the second, and so on. Cross-attention does not depend on the order or positions of
its queries, so the queries of all rows of an input are concatenated and multiplied with its keys at once.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from ntp.errors import CheckpointError

_NAME = "ntp_shared_encoder"


def use_shared_encoder(model: PreTrainedModel) -> None:
    """Let a model's cross-attention read shared inputs; other attention is PyTorch's own.

    Raises:
        CheckpointError: The model's attention cannot be replaced.
    """
    AttentionInterface.register(_NAME, shared_encoder_attention)
    AttentionMaskInterface.register(_NAME, sdpa_mask)
    try:
        model.set_attn_implementation(_NAME)
    except ValueError as error:
        raise CheckpointError(
            f"the attention of a {model.config.model_type} model cannot share encoded states: {error}"
        ) from error


def shared_encoder_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    position_bias: Tensor | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention with the signature that transformers expects.

    Args:
        module: The attention layer.
        query: (S * N, H, L, D).
        key: (S, H, P, D), or (S * N, H, P, D) for self-attention.
        value: Like `key`.
        attention_mask: Mask over the keys, (S, 1, 1, P) for shared inputs.
        position_bias: T5's bias of the scores, (1, H, L, P). Zero for cross-attention.
        **kwargs: Passed on.

    Returns:
        (S * N, L, H, D), and no weights.
    """
    num_inputs, (num_rows, num_heads, length, dim) = key.shape[0], query.shape
    if num_inputs == num_rows:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, position_bias=position_bias, **kwargs
        )
    query_SNHLD = query.view(num_inputs, -1, num_heads, length, dim)
    folded = query_SNHLD.transpose(1, 2).flatten(2, 3)
    out, _ = sdpa_attention_forward(module, folded, key, value, attention_mask, **kwargs)
    return out.reshape(num_rows, length, num_heads, -1), None
