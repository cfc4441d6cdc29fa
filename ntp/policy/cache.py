"""Keys and values of prompts and their branches, one copy of a prompt for all branches."""

from __future__ import annotations

from torch import Tensor
from transformers import Cache
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

        Zeros, because a masked column takes part with weight zero and must not hold a NaN.
        """
        _, num_heads, _, head_dim = key_states.shape
        shape = (self._num_rows, num_heads, self._capacity)
        self.keys = value_states.new_zeros(*shape, head_dim)
        self.values = value_states.new_zeros(*shape, value_states.shape[-1])
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *_args: object, **_kwargs: object
    ) -> tuple[Tensor, Tensor]:
        """Store, and return what the queries may attend to."""
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
        """Where the next tokens are stored."""
        return self.begin

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Length and offset of the keys that the next queries see."""
        return self.begin + query_length, 0

    def get_max_length(self) -> int:
        """Columns allocated."""
        return self._capacity


class TreeCache(Cache):
    """A key-value cache in which the branches of a row share the row's columns.

    Columns `[0, prompt_width)` hold prompts; every decoding step appends one column per branch it feeds.
    Which branch may see which column is the business of the attention mask.

    Args:
        num_layers: Of the model.
        num_rows: Prompts.
        capacity: Most columns.
    """

    def __init__(self, num_layers: int, num_rows: int, capacity: int) -> None:
        super().__init__(layers=[_TreeLayer(num_rows, capacity) for _ in range(num_layers)])

    def prefill(self, first_row: int, num_rows: int) -> None:
        """The next forward pass encodes the prompts of these rows."""
        for layer in self._tree_layers:
            layer.rows = slice(first_row, first_row + num_rows)

    def extend(self, begin: int) -> None:
        """The next forward pass feeds branches of all rows, stored from column `begin` on."""
        for layer in self._tree_layers:
            layer.prefilling, layer.begin, layer.rows = False, begin, slice(None)

    def keep_rows(self, row_B: Tensor, used: int) -> None:
        """Keep these rows, in this order, and their first `used` columns."""
        for layer in self._tree_layers:
            layer.keep(row_B, used)

    @property
    def _tree_layers(self) -> list[_TreeLayer]:
        return self.layers  # pyright: ignore[reportReturnType]
