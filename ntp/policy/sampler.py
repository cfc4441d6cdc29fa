"""Batched sampling of tactics: each prompt is encoded once, then all its draws are decoded together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ntp.errors import NtpError
from ntp.policy.cache import TreeCache
from ntp.policy.decoder import Decoder
from ntp.policy.packing import TokenIds, length_groups
from ntp.policy.requests import Draw

MAX_PREFILL_TOKENS = 2048
MAX_CACHE_TOKENS = 65536


@dataclass(slots=True)
class _Branch:
    """One draw in progress."""

    slot: int
    row: int
    token_ids: list[int]
    log_prob: float = 0.0


@torch.no_grad()
def sample_tactics(
    decoder: Decoder,
    prompts: Sequence[TokenIds],
    draws: Sequence[Sequence[Draw]],
    max_tactic_tokens: int,
    top_p: float,
) -> list[tuple[tuple[int, ...], float]]:
    """Draw tactics.

    The i-th token of a draw is the inverse of the cumulative distribution at the i-th uniform number of the
    draw's seed, so a draw depends on nothing but its prompt, seed and temperature (up to rounding in the
    model). The distribution is tempered, then cut to the smallest set of tokens with probability `top_p`. A
    tactic of `max_tactic_tokens` tokens is stopped with probability one.

    Args:
        decoder: The model.
        prompts: One per state.
        draws: Per state.
        max_tactic_tokens: Longest tactic.
        top_p: In (0, 1]; 1 cuts nothing.

    Returns:
        Flat, per draw in order: token ids without the stop token, and the untempered log-probability in nats,
        stop token included.
    """
    offsets = np.cumsum([0, *map(len, draws)])
    results: list[tuple[tuple[int, ...], float]] = [((), 0.0)] * int(offsets[-1])
    with decoder.autocast():
        for rows in _row_groups(prompts, draws, max_tactic_tokens):
            batch = _SampleBatch(
                decoder, [prompts[r] for r in rows], [draws[r] for r in rows], max_tactic_tokens, top_p
            )
            slots = [slot for r in rows for slot in range(offsets[r], offsets[r + 1])]
            for slot, result in zip(slots, batch.run(), strict=True):
                results[slot] = result
    return results


def _row_groups(
    prompts: Sequence[TokenIds], draws: Sequence[Sequence[Draw]], max_tactic_tokens: int
) -> Iterator[list[int]]:
    """Indices of states to decode together, similar lengths together, within the cache's budget."""
    group: list[int] = []
    widest = 0
    for row in sorted((r for r in range(len(prompts)) if draws[r]), key=lambda r: len(prompts[r])):
        wider = max(widest, len(draws[row]))
        if group and (len(group) + 1) * (len(prompts[row]) + wider * max_tactic_tokens) > MAX_CACHE_TOKENS:
            yield group
            group, wider = [], len(draws[row])
        group.append(row)
        widest = wider
    if group:
        yield group


class _SampleBatch:
    """Decodes the draws of a group of states, whose prompts come in order of length."""

    def __init__(
        self,
        decoder: Decoder,
        prompts: Sequence[TokenIds],
        draws: Sequence[Sequence[Draw]],
        max_tactic_tokens: int,
        top_p: float,
    ) -> None:
        self._decoder = decoder
        self._prompts = prompts
        self._max_tokens = max_tactic_tokens
        self._top_p = top_p
        self._branches = [_Branch(0, row, []) for row, row_draws in enumerate(draws) for _ in row_draws]
        for slot, branch in enumerate(self._branches):
            branch.slot = slot
        flat = [draw for row_draws in draws for draw in row_draws]
        uniform_NT = np.stack([_uniforms(draw.seed, max_tactic_tokens) for draw in flat])
        self._uniform_NT = torch.from_numpy(uniform_NT).to(decoder.device)
        self._temperature_N = torch.tensor([draw.temperature for draw in flat], device=decoder.device)
        self._width = max(map(len, prompts))
        capacity = self._width + max(map(len, draws)) * max_tactic_tokens
        num_layers = decoder.model.config.num_hidden_layers
        self._cache = TreeCache(num_layers, len(prompts), capacity)

    def run(self) -> list[tuple[tuple[int, ...], float]]:
        """Token ids and log-probability of every draw."""
        device = self._decoder.device
        hidden_BD = self._prefill()
        live = list(self._branches)
        log_p_NV = self._decoder.log_probs(hidden_BD)[[branch.row for branch in live]]
        num_prompt_B = torch.tensor([len(p) for p in self._prompts], device=device)
        # Owner of a column: -1 for the prompt (seen by all of the row's branches), -2 for padding, or a slot.
        column = torch.arange(self._width, device=device)
        owner_BS = torch.where(column < num_prompt_B[:, None], -1, -2)
        row_of = {row: row for row in range(len(self._prompts))}
        for step in range(self._max_tokens):
            live = self._choose(live, log_p_NV, step)
            if not live or step + 1 == self._max_tokens:
                break
            owner_BS, num_prompt_B, row_of = self._drop_rows(live, owner_BS, num_prompt_B, row_of)
            rows = [row_of[branch.row] for branch in live]
            ids_BW, owner_BW, place = self._lay_out(live, rows, len(num_prompt_B))
            self._cache.extend(owner_BS.shape[1])
            owner_BS = torch.cat([owner_BS, owner_BW], dim=1)
            mask_BWS = (owner_BS == -1)[:, None] | (owner_BS[:, None] == owner_BW[:, :, None])
            position_BW = (num_prompt_B + step)[:, None].expand_as(ids_BW)
            hidden_BWD = self._decoder.hidden(ids_BW, position_BW, mask_BWS, self._cache)
            log_p_NV = self._decoder.log_probs(hidden_BWD.flatten(0, 1)[place])
        return [(tuple(branch.token_ids), branch.log_prob) for branch in self._branches]

    def _prefill(self) -> Tensor:
        """Encode the prompts; hidden states at their last tokens, (B, D)."""
        device, last = self._decoder.device, []
        for begin, end in length_groups([len(p) for p in self._prompts], MAX_PREFILL_TOKENS):
            prompts = self._prompts[begin:end]
            ids_BL = _pad(prompts, self._decoder.stop_id, device)
            position_BL = torch.arange(ids_BL.shape[1], device=device).expand_as(ids_BL)
            self._cache.prefill(begin, end - begin)
            hidden_BLD = self._decoder.hidden(ids_BL, position_BL, cache=self._cache)
            last.append(hidden_BLD[range(len(prompts)), [len(p) - 1 for p in prompts]])
        return torch.cat(last)

    def _choose(self, live: list[_Branch], log_p_NV: Tensor, step: int) -> list[_Branch]:
        """Draw the next token of every live branch; those that go on."""
        slot_N = torch.tensor([branch.slot for branch in live], device=log_p_NV.device)
        token_N = inverse_cdf(
            log_p_NV, self._temperature_N[slot_N], self._top_p, self._uniform_NT[slot_N, step]
        )
        log_p_N = log_p_NV.gather(1, token_N[:, None])[:, 0]
        going_on = []
        for branch, token, log_p in zip(live, token_N.tolist(), log_p_N.tolist(), strict=True):
            branch.log_prob += log_p
            if token != self._decoder.stop_id:
                branch.token_ids.append(token)
                going_on.append(branch)
        return going_on

    def _drop_rows(
        self, live: list[_Branch], owner_BS: Tensor, num_prompt_B: Tensor, row_of: dict[int, int]
    ) -> tuple[Tensor, Tensor, dict[int, int]]:
        """Drop rows without a live branch once they are half of all, so that copying pays."""
        rows = sorted({branch.row for branch in live})
        if 2 * len(rows) > len(num_prompt_B):
            return owner_BS, num_prompt_B, row_of
        keep_B = torch.tensor([row_of[row] for row in rows], device=owner_BS.device)
        self._cache.keep_rows(keep_B, owner_BS.shape[1])
        return owner_BS[keep_B], num_prompt_B[keep_B], {row: index for index, row in enumerate(rows)}

    def _lay_out(
        self, live: list[_Branch], rows: list[int], num_rows: int
    ) -> tuple[Tensor, Tensor, list[int]]:
        """Last tokens of live branches, padded to the widest row; owners; flat place of every branch."""
        by_row: list[list[_Branch]] = [[] for _ in range(num_rows)]
        columns = []
        for branch, row in zip(live, rows, strict=True):
            columns.append(len(by_row[row]))
            by_row[row].append(branch)
        width = max(map(len, by_row))
        device = self._decoder.device
        ids_BW = _pad(
            [[b.token_ids[-1] for b in row] for row in by_row], self._decoder.stop_id, device, width
        )
        owner_BW = _pad([[b.slot for b in row] for row in by_row], -2, device, width)
        return ids_BW, owner_BW, [row * width + column for row, column in zip(rows, columns, strict=True)]


def inverse_cdf(log_p_NV: Tensor, temperature_N: Tensor, top_p: float, uniform_N: Tensor) -> Tensor:
    """Token whose interval of the cumulative tempered, top-p cut distribution holds the uniform number.

    Args:
        log_p_NV: Untempered log-probabilities.
        temperature_N: Positive.
        top_p: Probability kept (Holtzman et al. 2020): the fewest tokens whose probabilities reach it.
        uniform_N: In [0, 1), float64.

    Raises:
        NtpError: The probabilities are not numbers.
    """
    p_NV = (log_p_NV / temperature_N[:, None]).softmax(-1).double()
    if top_p < 1:
        sorted_NV, order_NV = p_NV.sort(descending=True, stable=True)
        sorted_NV = sorted_NV.masked_fill(sorted_NV.cumsum(-1) - sorted_NV >= top_p, 0.0)
        p_NV = torch.zeros_like(p_NV).scatter_(1, order_NV, sorted_NV)
    cdf_NV = p_NV.cumsum(-1)
    # A point strictly below the total, found to the right of all equal values, has positive probability.
    total_N = cdf_NV[:, -1]
    if not total_N.isfinite().all():
        raise NtpError("the policy's probabilities are not numbers: training diverged, lower the rate")
    point_N = torch.minimum(uniform_N * total_N, total_N.nextafter(torch.zeros_like(total_N)))
    return torch.searchsorted(cdf_NV, point_N[:, None], right=True)[:, 0]


def _uniforms(seed: int, num: int) -> np.ndarray:
    return np.random.Generator(np.random.Philox(key=seed)).random(num)


def _pad(rows: Sequence[TokenIds], value: int, device: torch.device, width: int | None = None) -> Tensor:
    width = max(map(len, rows)) if width is None else width
    return torch.tensor([[*row, *[value] * (width - len(row))] for row in rows], device=device)
