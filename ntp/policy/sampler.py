"""Sampling of tactics token by token, with probabilities from a model that is run over trees of branches.

A sample depends on its own seed, not on the batch it is in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ntp.errors import NtpError
from ntp.policy.decoder import Decoder, TreeCache
from ntp.policy.prompt import SamplingParams
from ntp.policy.scorer import TokenIds, length_groups, pad_rows

MAX_CACHE_TOKENS = 65536
# Relative error of a probability between two runs of the model in float32.
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Sample:
    """A sampled tactic.

    Attributes:
        token_ids: Its tokens without the stop token.
        log_prob: Its untempered log-probability in nats, stop token included.
        log_q: Likewise under the tempered distribution restricted by top-p.
    """

    token_ids: tuple[int, ...]
    log_prob: float
    log_q: float


@dataclass(slots=True)
class Branch:
    """A tactic being sampled.

    Attributes:
        slot: Its index in the batch.
        row: Index of the prompt that it continues.
        token_ids: Tokens sampled so far.
        log_prob: Their log-probability in nats.
        log_q: Their log-probability in nats under the tempered distribution restricted by top-p.
        excluded: The excluded tactics that begin with these tokens.
    """

    slot: int
    row: int
    token_ids: list[int]
    log_prob: float = 0.0
    log_q: float = 0.0
    excluded: Sequence[Sample] = ()


class Continuations(Protocol):
    """A batch of encoded prompts and the branches that continue them."""

    def begin(self) -> Tensor:
        """Log-probabilities of the first token after each prompt, (B, V)."""
        ...

    def extend(self, live: Sequence[Branch]) -> Tensor:
        """Feed the last token of every live branch; log-probabilities of its next one, (N, V).

        All branches have the same number of tokens. A branch that is left out once cannot be extended later.
        """
        ...


# Encodes prompts, given in ascending length with the number of branches of each.
OpenPrompts = Callable[[Sequence[TokenIds], Sequence[int]], Continuations]


@torch.no_grad()
def sample_tactics(
    open_prompts: OpenPrompts,
    stop_id: int,
    prompts: Sequence[TokenIds],
    draws: Sequence[Sequence[SamplingParams]],
    max_tactic_tokens: int,
    top_p: float,
    excluded: Sequence[Sequence[Sample]] = (),
) -> list[Sample | None]:
    """Sample tactics.

    The i-th token of a sample is the inverse of the cumulative distribution at the i-th uniform number from
    its seed, so a sample depends only on its prompt, seed and temperature (up to rounding in the model). The
    distribution is tempered, then restricted to the smallest set of tokens with probability `top_p`. A tactic
    of `max_tactic_tokens` tokens ends with probability one.

    Samples are never among the excluded ones of their state: at every prefix, the probability of the excluded
    tactics that go on with a token is taken from that token, so what remains is the distribution given that
    none of them is sampled (Shi et al. 2020, UniqueRandomizer).

    Args:
        open_prompts: Encodes prompts in the model.
        stop_id: Token that ends a tactic.
        prompts: One per state.
        draws: Parameters of the samples of each state.
        max_tactic_tokens: Maximum length of a tactic.
        top_p: In (0, 1]; 1 keeps all tokens.
        excluded: Per state, earlier samples at the same temperature; empty if no state has any.

    Returns:
        Flat, per sample in order; None where nothing but excluded tactics has a probability.
    """
    offsets = np.cumsum([0, *map(len, draws)])
    results: list[Sample | None] = [None] * int(offsets[-1])
    for rows in _row_groups(prompts, draws, max_tactic_tokens):
        continuations = open_prompts([prompts[r] for r in rows], [len(draws[r]) for r in rows])
        drawing = _Drawing([draws[r] for r in rows], stop_id, max_tactic_tokens, top_p)
        if excluded:
            drawing.exclude([excluded[r] for r in rows])
        slots = [slot for r in rows for slot in range(offsets[r], offsets[r + 1])]
        for slot, result in zip(slots, drawing.run(continuations), strict=True):
            results[slot] = result
    return results


def _row_groups(
    prompts: Sequence[TokenIds], draws: Sequence[Sequence[SamplingParams]], max_tactic_tokens: int
) -> Iterator[list[int]]:
    """Groups of indices of states to decode together, of similar length and within the cache's budget."""
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


class _Drawing:
    """The samples of a group of prompts."""

    def __init__(
        self, draws: Sequence[Sequence[SamplingParams]], stop_id: int, max_tactic_tokens: int, top_p: float
    ) -> None:
        rows = [row for row, row_draws in enumerate(draws) for _ in row_draws]
        self._branches = [Branch(slot, row, []) for slot, row in enumerate(rows)]
        flat = [draw for row_draws in draws for draw in row_draws]
        uniform_NT = np.stack([_uniforms(draw.seed, max_tactic_tokens) for draw in flat])
        self._uniform_NT = torch.from_numpy(uniform_NT)
        self._temperature_N = torch.tensor([draw.temperature for draw in flat])
        self._stop_id = stop_id
        self._max_tokens = max_tactic_tokens
        self._top_p = top_p

    def exclude(self, excluded: Sequence[Sequence[Sample]]) -> None:
        """Exclude tactics, given for every prompt."""
        for branch in self._branches:
            branch.excluded = excluded[branch.row]

    def run(self, continuations: Continuations) -> list[Sample | None]:
        """Every sample, in order."""
        live = self._branches
        log_p_NV = continuations.begin()[[branch.row for branch in live]]
        self._uniform_NT = self._uniform_NT.to(log_p_NV.device)
        self._temperature_N = self._temperature_N.to(log_p_NV.device)
        for step in range(self._max_tokens):
            live = self._choose(live, log_p_NV, step)
            if not live or step + 1 == self._max_tokens:
                break
            log_p_NV = continuations.extend(live)
        return [
            Sample(tuple(branch.token_ids), branch.log_prob, branch.log_q)
            if branch.log_q > -math.inf
            else None
            for branch in self._branches
        ]

    def _choose(self, live: Sequence[Branch], log_p_NV: Tensor, step: int) -> list[Branch]:
        """Sample the next token of every live branch; returns the branches that are not finished."""
        slot_N = torch.tensor([branch.slot for branch in live], device=log_p_NV.device)
        q_NV = tempered(log_p_NV, self._temperature_N[slot_N], self._top_p)
        rest_NV = self._without_excluded(q_NV, live, step) if any(b.excluded for b in live) else q_NV
        token_N = inverse_cdf(rest_NV, self._uniform_NT[slot_N, step])
        chosen = token_N[:, None]
        chosen_N3 = torch.cat([p_NV.gather(1, chosen).double() for p_NV in (log_p_NV, rest_NV, q_NV)], dim=1)
        going_on = []
        for branch, token, (log_p, rest, q) in zip(live, token_N.tolist(), chosen_N3.tolist(), strict=True):
            branch.log_prob += log_p
            branch.log_q += math.log(q) if rest > 0 else -math.inf
            branch.excluded = [s for s in branch.excluded if s.token_ids[step : step + 1] == (token,)]
            if token != self._stop_id and rest > 0:
                branch.token_ids.append(token)
                going_on.append(branch)
        return going_on

    def _without_excluded(self, q_NV: Tensor, live: Sequence[Branch], step: int) -> Tensor:
        """The probability of each next token together with a tactic that is not excluded, (N, V)."""
        rest_NV = q_NV.clone()
        ends: list[tuple[int, int]] = []
        for index, branch in enumerate(live):
            for sample in branch.excluded:
                token = (*sample.token_ids, self._stop_id)[step]
                rest_NV[index, token] -= math.exp(sample.log_q - branch.log_q)
                if token == self._stop_id or step + 1 == self._max_tokens:
                    ends.append((index, token))
        rest_NV.masked_fill_(rest_NV < _ROUNDING * q_NV, 0.0)
        for index, token in ends:
            rest_NV[index, token] = 0.0  # exactly, whatever the rounding
        return rest_NV


def tempered(log_p_NV: Tensor, temperature_N: Tensor, top_p: float) -> Tensor:
    """The distribution that tokens are sampled from, float64.

    Args:
        log_p_NV: Untempered log-probabilities.
        temperature_N: Positive.
        top_p: Probability kept (Holtzman et al. 2020): the fewest tokens whose sum reaches it.
    """
    p_NV = (log_p_NV / temperature_N[:, None]).softmax(-1).double()
    if top_p < 1:
        sorted_NV, order_NV = p_NV.sort(descending=True, stable=True)
        sorted_NV = sorted_NV.masked_fill(sorted_NV.cumsum(-1) - sorted_NV >= top_p, 0.0)
        p_NV = torch.zeros_like(p_NV).scatter_(1, order_NV, sorted_NV)
        p_NV /= p_NV.sum(-1, keepdim=True)
    return p_NV


def inverse_cdf(p_NV: Tensor, uniform_N: Tensor) -> Tensor:
    """Inverse of the cumulative distribution at a uniform number; 0 where all probabilities are 0.

    Args:
        p_NV: Not negative, float64; the sum need not be 1.
        uniform_N: In [0, 1), float64.

    Raises:
        NtpError: The probabilities are NaN.
    """
    cdf_NV = p_NV.cumsum(-1)
    # The point is below the total and the search goes right of equal values: the token's probability is > 0.
    total_N = cdf_NV[:, -1]
    if not total_N.isfinite().all():
        raise NtpError("the policy's probabilities are NaN: training diverged, lower the learning rate")
    point_N = torch.minimum(uniform_N * total_N, total_N.nextafter(torch.zeros_like(total_N)))
    token_N = torch.searchsorted(cdf_NV, point_N[:, None], right=True)[:, 0]
    return token_N.masked_fill(total_N == 0, 0)


def _uniforms(seed: int, num: int) -> np.ndarray:
    return np.random.Generator(np.random.Philox(key=seed)).random(num)


MAX_PREFILL_TOKENS = 2048


class TreeContinuations:
    """`Continuations` of a causal model: the branches share the cached keys and values of their prompts.

    Args:
        decoder: The model.
        prompts: The prompts in ascending length.
        num_branches: Number of branches of each prompt.
        max_tactic_tokens: Maximum number of tokens of a branch.
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
        """Drop rows without a live branch once they are half of all, since dropping requires a copy."""
        rows = sorted({branch.row for branch in live})
        if 2 * len(rows) > len(self._num_prompt_B):
            return
        keep_B = torch.tensor([self._row_of[row] for row in rows], device=self._owner_BS.device)
        self._cache.keep_rows(keep_B, self._owner_BS.shape[1])
        self._owner_BS, self._num_prompt_B = self._owner_BS[keep_B], self._num_prompt_B[keep_B]
        self._row_of = {row: index for index, row in enumerate(rows)}

    def _lay_out(self, live: Sequence[Branch]) -> tuple[Tensor, Tensor, list[int]]:
        """Last tokens of live branches, padded to the widest row; owners; flat index of every branch."""
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
