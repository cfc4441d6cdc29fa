"""Branches of prompts inside a causal language model: each prompt is encoded once for all its branches."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ntp.policy.cache import TreeCache
from ntp.policy.decoder import Decoder
from ntp.policy.packing import TokenIds, length_groups, pad_rows
from ntp.policy.sampler import Branch

MAX_PREFILL_TOKENS = 2048


class TreeContinuations:
    """`Continuations` of a causal model: the branches share the cached keys and values of their prompts.

    Args:
        decoder: The model.
        prompts: In order of length.
        num_branches: Of each prompt.
        max_tactic_tokens: Most tokens of a branch.
    """

    def __init__(
        self,
        decoder: Decoder,
        prompts: Sequence[TokenIds],
        num_branches: Sequence[int],
        max_tactic_tokens: int,
    ) -> None:
        self._decoder = decoder
        self._prompts = prompts
        width, device = max(map(len, prompts)), decoder.device
        num_layers = decoder.model.config.num_hidden_layers
        self._cache = TreeCache(num_layers, len(prompts), width + max(num_branches) * max_tactic_tokens)
        self._num_prompt_B = torch.tensor([len(p) for p in prompts], device=device)
        # Owner of a column: -1 for the prompt (seen by all of the row's branches), -2 for padding, or a slot.
        column = torch.arange(width, device=device)
        self._owner_BS = torch.where(column < self._num_prompt_B[:, None], -1, -2)
        self._row_of = {row: row for row in range(len(prompts))}

    def begin(self) -> Tensor:
        """Encode the prompts; log-probabilities of the first token after each, (B, V)."""
        device, last = self._decoder.device, []
        for begin, end in length_groups([len(p) for p in self._prompts], MAX_PREFILL_TOKENS):
            prompts = self._prompts[begin:end]
            ids_BL = pad_rows(prompts, self._decoder.stop_id, device)
            position_BL = torch.arange(ids_BL.shape[1], device=device).expand_as(ids_BL)
            self._cache.prefill(begin, end - begin)
            hidden_BLD = self._decoder.hidden(ids_BL, position_BL, cache=self._cache)
            last.append(hidden_BLD[range(len(prompts)), [len(p) - 1 for p in prompts]])
        return self._decoder.log_probs(torch.cat(last))

    def extend(self, live: Sequence[Branch]) -> Tensor:
        """Feed the last token of every live branch; log-probabilities of its next one, (N, V)."""
        self._drop_rows(live)
        ids_BW, owner_BW, place = self._lay_out(live)
        self._cache.extend(self._owner_BS.shape[1])
        self._owner_BS = torch.cat([self._owner_BS, owner_BW], dim=1)
        is_prompt_BS = self._owner_BS == -1
        mask_BWS = is_prompt_BS[:, None] | (self._owner_BS[:, None] == owner_BW[:, :, None])
        num_fed = len(live[0].token_ids) - 1
        position_BW = (self._num_prompt_B + num_fed)[:, None].expand_as(ids_BW)
        hidden_BWD = self._decoder.hidden(ids_BW, position_BW, mask_BWS, self._cache)
        return self._decoder.log_probs(hidden_BWD.flatten(0, 1)[place])

    def _drop_rows(self, live: Sequence[Branch]) -> None:
        """Drop rows without a live branch once they are half of all, so that copying pays."""
        rows = sorted({branch.row for branch in live})
        if 2 * len(rows) > len(self._num_prompt_B):
            return
        keep_B = torch.tensor([self._row_of[row] for row in rows], device=self._owner_BS.device)
        self._cache.keep_rows(keep_B, self._owner_BS.shape[1])
        self._owner_BS, self._num_prompt_B = self._owner_BS[keep_B], self._num_prompt_B[keep_B]
        self._row_of = {row: index for index, row in enumerate(rows)}

    def _lay_out(self, live: Sequence[Branch]) -> tuple[Tensor, Tensor, list[int]]:
        """Last tokens of live branches, padded to the widest row; owners; flat place of every branch."""
        by_row: list[list[Branch]] = [[] for _ in range(len(self._num_prompt_B))]
        rows = [self._row_of[branch.row] for branch in live]
        columns = []
        for branch, row in zip(live, rows, strict=True):
            columns.append(len(by_row[row]))
            by_row[row].append(branch)
        width, device = max(map(len, by_row)), self._decoder.device
        ids_BW = pad_rows(
            [[b.token_ids[-1] for b in row] for row in by_row], self._decoder.stop_id, device, width
        )
        owner_BW = pad_rows([[b.slot for b in row] for row in by_row], -2, device, width)
        return ids_BW, owner_BW, [row * width + column for row, column in zip(rows, columns, strict=True)]
