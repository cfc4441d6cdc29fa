"""Branches of states inside an encoder-decoder model: each state is encoded once for all its branches."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import DynamicCache, EncoderDecoderCache

from ntp.policy.encoder_decoder import EncoderDecoder
from ntp.policy.sampler import Branch
from ntp.policy.scorer import TokenIds


class EncodedContinuations:
    """`Continuations` of an encoder-decoder: the branches share the cached cross-attention of their states.

    Args:
        decoder: The model.
        prompts: The prompts in ascending length.
    """

    def __init__(self, decoder: EncoderDecoder, prompts: Sequence[TokenIds]) -> None:
        self._decoder = decoder
        self._states = decoder.encode(prompts)
        self._cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
        # Before there are branches, every state has one row in the decoder.
        self._state_of = {row: row for row in range(len(prompts))}
        self._place_of: dict[int, int] = {}
        self._num_places = len(prompts)

    def begin(self) -> Tensor:
        """Log-probabilities of the first token after each prompt, (B, V)."""
        start_B1 = torch.full((self._num_places, 1), self._decoder.start_id, device=self._decoder.device)
        return self._decoder.log_probs(self._decoder.hidden(start_B1, self._states, self._cache)[:, 0])

    def extend(self, live: Sequence[Branch]) -> Tensor:
        """Feed the last token of every live branch; log-probabilities of its next one, (N, V)."""
        # Finished branches stay until they are half of all, since removing them requires a copy.
        if not self._place_of or 2 * len(live) <= self._num_places:
            self._lay_out(live)
        tokens = [self._decoder.stop_id] * self._num_places
        for branch in live:
            tokens[self._place_of[branch.slot]] = branch.token_ids[-1]
        ids_B1 = torch.tensor(tokens, device=self._decoder.device)[:, None]
        hidden_BD = self._decoder.hidden(ids_B1, self._states, self._cache)[:, 0]
        return self._decoder.log_probs(hidden_BD[[self._place_of[branch.slot] for branch in live]])

    def _lay_out(self, live: Sequence[Branch]) -> None:
        """Keep live branches and their states only; every state gets as many rows as the one with most."""
        by_row: dict[int, list[Branch]] = {}
        for branch in live:
            by_row.setdefault(branch.row, []).append(branch)
        width, device = max(map(len, by_row.values())), self._decoder.device
        kept, place_of = [], {}
        for row, branches in by_row.items():
            for branch in branches:
                place_of[branch.slot] = len(kept)
                kept.append(self._place_of.get(branch.slot, self._state_of[row]))
            kept += kept[-1:] * (width - len(branches))
        kept_S = torch.tensor([self._state_of[row] for row in by_row], device=device)
        self._cache.self_attention_cache.reorder_cache(torch.tensor(kept, device=device))  # pyright: ignore[reportArgumentType]
        self._cache.cross_attention_cache.reorder_cache(kept_S)  # pyright: ignore[reportArgumentType]
        self._states = self._states.select(kept_S)
        self._state_of = {row: index for index, row in enumerate(by_row)}
        self._place_of, self._num_places = place_of, len(kept)
