"""Runs a causal language model over trees of token sequences, with a key-value cache for them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from transformers import Cache, PreTrainedModel
from transformers.cache_utils import CacheLayerMixin


class _TreeLayer(CacheLayerMixin):
    """One layer's keys and values, (B, H, capacity, D), allocated once and filled from the left."""

    def __init__(self, num_rows: int, capacity: int) -> None:
        super().__init__()
        self.rows = slice(0, num_rows)
        self.prefilling = True
        self.begin = 0
        self._num_rows = num_rows
        self._capacity = capacity

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Allocate, in the type of the values: under autocast, rotary embeddings widen the keys.

        Zeros, because a masked column has weight zero in a sum and must not contain a NaN.
        """
        _, num_heads, _, head_dim = key_states.shape
        shape = (self._num_rows, num_heads, self._capacity)
        self.keys = value_states.new_zeros(*shape, head_dim)
        self.values = value_states.new_zeros(*shape, value_states.shape[-1])
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *_args: object, **_kwargs: object
    ) -> tuple[Tensor, Tensor]:
        """Store keys and values, and return those that the queries may attend to."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.keys is not None and self.values is not None
        end = self.begin + key_states.shape[2]
        self.keys[self.rows, :, self.begin : end] = key_states
        self.values[self.rows, :, self.begin : end] = value_states
        if self.prefilling:
            return key_states, value_states
        return self.keys[:, :, :end], self.values[:, :, :end]

    def keep(self, row_B: Tensor, used: int) -> None:
        """Drop all other rows."""
        assert self.keys is not None and self.values is not None
        for name in ("keys", "values"):
            old = getattr(self, name)
            new = old.new_empty(len(row_B), *old.shape[1:])
            new[:, :, :used] = old[row_B, :, :used]
            setattr(self, name, new)

    def get_seq_length(self) -> int:
        """Column of the next tokens."""
        return self.begin

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Length and offset of the keys that the next queries see."""
        return self.begin + query_length, 0

    def get_max_length(self) -> int:
        """Number of allocated columns."""
        return self._capacity


class TreeCache(Cache):
    """A key-value cache in which the branches of a row share the row's columns.

    Columns `[0, prompt_width)` hold prompts; every decoding step appends one column per branch it feeds. The
    attention mask decides which branch may attend to which column.

    Args:
        num_layers: Layers of the model.
        num_rows: Number of prompts.
        capacity: Maximum number of columns.
    """

    def __init__(self, num_layers: int, num_rows: int, capacity: int) -> None:
        super().__init__(layers=[_TreeLayer(num_rows, capacity) for _ in range(num_layers)])

    def prefill(self, first_row: int, num_rows: int) -> None:
        """Prepare for a forward pass that encodes the prompts of these rows."""
        for layer in self._tree_layers:
            layer.rows = slice(first_row, first_row + num_rows)

    def extend(self, begin: int) -> None:
        """Prepare for a forward pass that feeds branches of all rows, stored from column `begin` on."""
        for layer in self._tree_layers:
            layer.prefilling, layer.begin, layer.rows = False, begin, slice(None)

    def keep_rows(self, row_B: Tensor, used: int) -> None:
        """Keep these rows, in this order, and their first `used` columns."""
        for layer in self._tree_layers:
            layer.keep(row_B, used)

    @property
    def _tree_layers(self) -> list[_TreeLayer]:
        return self.layers  # pyright: ignore[reportReturnType]


Precision = Literal["fp32", "bf16"]


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """A language model restricted to the tokens that a tactic may contain.

    Attributes:
        model: The plain model; adapters may be inside it but not around it.
        stop_id: Token that ends a tactic.
        suppressed_ids: Tokens that never occur in a tactic, masked before the softmax.
        precision: `bf16` runs matrix products in bfloat16 under autocast, softmaxes in float32.
    """

    model: PreTrainedModel
    stop_id: int
    suppressed_ids: tuple[int, ...]
    precision: Precision

    @property
    def device(self) -> torch.device:
        """Device of the model."""
        return self.model.device

    def autocast(self) -> AbstractContextManager[object]:
        """The context to run the model in."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16")

    def log_probs(self, hidden_MD: Tensor) -> Tensor:
        """Untempered log-probabilities of the next token, (M, V), float32; suppressed tokens get -inf."""
        head = self.model.get_output_embeddings()
        assert head is not None
        return self.normalise(head(hidden_MD))

    def normalise(self, logits_MV: Tensor) -> Tensor:
        """Log-probabilities like those of `log_probs`, from a model's own logits."""
        suppressed = torch.tensor(self.suppressed_ids, dtype=torch.long, device=logits_MV.device)
        return logits_MV.float().index_fill(1, suppressed, -torch.inf).log_softmax(-1)


@dataclass(frozen=True, slots=True)
class Decoder(LanguageModel):
    """A causal language model, with attention that takes 4D masks."""

    def hidden(
        self,
        ids_BL: Tensor,
        position_BL: Tensor,
        mask_BLS: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        """Last hidden states, (B, L, D).

        Args:
            ids_BL: Tokens.
            position_BL: Their positions.
            mask_BLS: Which of the S keys each token attends to; None for causal attention.
            cache: Keys and values of earlier tokens; those of these tokens are appended.
        """
        bias = None
        if mask_BLS is not None:
            bias = torch.zeros(mask_BLS.shape, dtype=self._dtype, device=self.device)
            bias = bias.masked_fill_(~mask_BLS, -torch.inf)[:, None]
        output = self.model.base_model(
            input_ids=ids_BL,
            position_ids=position_BL,
            attention_mask=bias,
            past_key_values=cache,
            use_cache=cache is not None,
        )
        return output.last_hidden_state

    @property
    def _dtype(self) -> torch.dtype:
        return torch.bfloat16 if self.precision == "bf16" else self.model.dtype
