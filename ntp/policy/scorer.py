"""Teacher-forced log-probabilities under a causal model, differentiable, with every state encoded once.

A row is one prompt followed by its tactics as branches of a tree. A branch token attends to the prompt and
to the earlier tokens of its own branch, and its position continues from the prompt's, so each branch sees
exactly what it would see alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ntp.policy.decoder import Decoder, LanguageModel

TokenIds = Sequence[int]

# Fixed cost of a forward pass in tokens: padding beyond this is more expensive than a further pass.
_PASS_OVERHEAD_TOKENS = 64


@dataclass(frozen=True, slots=True)
class TreeRow:
    """A prompt, its branches, and the index of each branch's result."""

    prompt: TokenIds
    branches: tuple[TokenIds, ...]
    slots: tuple[int, ...]

    @property
    def num_tokens(self) -> int:
        """Number of tokens that the model processes."""
        return len(self.prompt) + sum(map(len, self.branches))


def pack_rows(
    rows: Sequence[TreeRow], pad_id: int, device: torch.device
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Pack rows into tensors, padded at the end, where no real token attends.

    Returns:
        ids_BL (tokens), position_BL (their positions) and mask_BLS (which tokens S each token L attends to),
        which is None if no row has two branches: plain causal attention is faster without a mask.
    """
    length = max(row.num_tokens for row in rows)
    ids, positions, segments = [], [], []
    for row in rows:
        num_prompt = len(row.prompt)
        row_ids, row_positions, row_segments = list(row.prompt), list(range(num_prompt)), [0] * num_prompt
        for index, branch in enumerate(row.branches, start=1):
            row_ids += branch
            row_positions += range(num_prompt, num_prompt + len(branch))
            row_segments += [index] * len(branch)
        num_padding = length - len(row_ids)
        ids.append(row_ids + [pad_id] * num_padding)
        positions.append(row_positions + [0] * num_padding)
        segments.append(row_segments + [-1] * num_padding)
    ids_BL, position_BL = torch.tensor(ids, device=device), torch.tensor(positions, device=device)
    if all(len(row.branches) < 2 for row in rows):
        # Positions increase over the padding too: transformers takes a decrease for the start of a sequence.
        return ids_BL, torch.arange(length, device=device).expand_as(ids_BL), None
    segment_BL = torch.tensor(segments, device=device)
    same = segment_BL[:, :, None] == segment_BL[:, None, :]
    mask_BLS = (same | (segment_BL == 0)[:, None, :]).tril_()
    return ids_BL, position_BL, mask_BLS


def pad_rows(rows: Sequence[TokenIds], value: int, device: torch.device, width: int | None = None) -> Tensor:
    """Rows as one tensor, (B, L), padded at the end to the longest row or to `width`."""
    width = max(map(len, rows)) if width is None else width
    return torch.tensor([[*row, *[value] * (width - len(row))] for row in rows], device=device)


def split_row(row: TreeRow, max_tokens: int) -> Iterator[TreeRow]:
    """Split a row whose branches exceed `max_tokens`; each part has the prompt and at least one branch."""
    first, size = 0, len(row.prompt)
    for index, branch in enumerate(row.branches):
        if size + len(branch) > max_tokens and index > first:
            yield TreeRow(row.prompt, row.branches[first:index], row.slots[first:index])
            first, size = index, len(row.prompt)
        size += len(branch)
    yield TreeRow(row.prompt, row.branches[first:], row.slots[first:])


def micro_batches(rows: Sequence[TreeRow], max_tokens: int) -> Iterator[list[TreeRow]]:
    """Group rows of similar length so that each group, padded, has at most `max_tokens` (or is one row)."""
    ordered = sorted(rows, key=lambda row: row.num_tokens)
    for begin, end in length_groups([row.num_tokens for row in ordered], max_tokens):
        yield ordered[begin:end]


def length_groups(lengths: Sequence[int], max_tokens: int) -> Iterator[tuple[int, int]]:
    """Ranges of sequences, given in ascending length, to pad and encode together.

    Args:
        lengths: Number of tokens of each sequence.
        max_tokens: Maximum number of tokens of a range with padding, unless it is one sequence.
    """
    begin = 0
    for end in range(1, len(lengths) + 1):
        if end < len(lengths):
            padding = (lengths[end] - lengths[end - 1]) * (end - begin)
            if padding <= _PASS_OVERHEAD_TOKENS and lengths[end] * (end + 1 - begin) <= max_tokens:
                continue
        yield begin, end
        begin = end


MAX_BATCH_TOKENS = 2048


@dataclass(frozen=True, slots=True)
class TextScores:
    """Log-probabilities, in nats, of N texts that consist of a prompt and a tactic.

    Attributes:
        tactic_N: Log-probability of the tactic given the prompt, stop token included, as in `score_tactics`.
        prompt_N: Log-probability of the prompt's tokens except the first and special ones, 0 if the model
            does not predict them.
        num_prompt_tokens_N: The number of those tokens.
    """

    tactic_N: Tensor
    prompt_N: Tensor
    num_prompt_tokens_N: Tensor


def score_tactics(
    decoder: Decoder,
    prompts: Sequence[TokenIds],
    tactics: Sequence[Sequence[TokenIds]],
    max_tactic_tokens: int,
) -> Tensor:
    """Log-probabilities log P_F of tactics, stop token included, in nats.

    log P_F(t_1 .. t_L) is the sum of log p(t_i | prompt, t_<i) over i plus log p(stop | prompt, t_1 .. t_L).
    A tactic of `max_tactic_tokens` tokens ends with probability one, so that the probabilities of all tactics
    sum to one; the sampler does the same.

    Args:
        decoder: The model.
        prompts: One per state.
        tactics: Per state, token ids without the stop token.
        max_tactic_tokens: Maximum length of a tactic.

    Returns:
        Flat, one per tactic, in order.

    Raises:
        ValueError: A tactic is longer than `max_tactic_tokens` or contains a suppressed token.
    """
    require_possible(decoder, tactics, max_tactic_tokens)
    rows, num_tactics = [], 0
    for prompt, state_tactics in zip(prompts, tactics, strict=True):
        slots = tuple(range(num_tactics, num_tactics + len(state_tactics)))
        num_tactics += len(slots)
        if slots:
            rows.extend(split_row(TreeRow(prompt, tuple(state_tactics), slots), MAX_BATCH_TOKENS))
    scores, order = [], []
    for group in micro_batches(rows, MAX_BATCH_TOKENS):
        scores.append(_sums(decoder, group, _tactic_predictions(decoder, group, max_tactic_tokens)))
        order += [slot for row in group for slot in row.slots]
    if not scores:
        return torch.zeros(0, device=decoder.device)
    slot_N = torch.tensor(order, device=decoder.device)
    return torch.cat(scores)[slot_N.argsort()]


def score_texts(
    decoder: Decoder, prompts: Sequence[TokenIds], tactics: Sequence[TokenIds], max_tactic_tokens: int
) -> TextScores:
    """Log-probabilities of prompts, each with one tactic, in one pass.

    Args:
        decoder: The model.
        prompts: Token ids.
        tactics: One per prompt, token ids without the stop token.
        max_tactic_tokens: Maximum length of a tactic.

    Raises:
        ValueError: As for `score_tactics`.
    """
    require_possible(decoder, [tactics], max_tactic_tokens)
    num = len(prompts)
    rows = [TreeRow(p, (t,), (i,)) for i, (p, t) in enumerate(zip(prompts, tactics, strict=True))]
    if not rows:
        empty = torch.zeros(0, device=decoder.device)
        return TextScores(empty, empty, empty)
    tactic_N, prompt_N = [], []
    order, num_predicted = [], [0] * num
    for group in micro_batches(rows, MAX_BATCH_TOKENS):
        predictions = _tactic_predictions(decoder, group, max_tactic_tokens)
        for index, row in enumerate(group):
            # Special tokens come from the template: nothing is learned from predicting them.
            known = [i for i, token in enumerate(row.prompt) if i and token not in decoder.suppressed_ids]
            predictions.add(index, [i - 1 for i in known], [row.prompt[i] for i in known])
            num_predicted[row.slots[0]] = len(known)
        sums = _sums(decoder, group, predictions)
        tactic_N.append(sums[: len(group)])
        prompt_N.append(sums[len(group) :])
        order += [row.slots[0] for row in group]
    place_N = torch.tensor(order, device=decoder.device).argsort()
    return TextScores(
        torch.cat(tactic_N)[place_N],
        torch.cat(prompt_N)[place_N],
        torch.tensor(num_predicted, device=decoder.device),
    )


@dataclass(slots=True)
class _Predictions:
    """Tokens to predict: row, index of the hidden state in the row, token, and the sum it belongs to."""

    rows: list[int] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    sums: list[int] = field(default_factory=list)
    num_sums: int = 0

    def add(self, row: int, places: Sequence[int], targets: Sequence[int]) -> None:
        """Add the predictions of another sum."""
        self.rows += [row] * len(places)
        self.places += places
        self.targets += targets
        self.sums += [self.num_sums] * len(places)
        self.num_sums += 1


def _tactic_predictions(decoder: Decoder, rows: Sequence[TreeRow], max_tactic_tokens: int) -> _Predictions:
    """One sum per branch, row by row."""
    predictions = _Predictions()
    for index, row in enumerate(rows):
        begin = len(row.prompt)
        for branch in row.branches:
            places = [len(row.prompt) - 1, *range(begin, begin + len(branch))][:max_tactic_tokens]
            predictions.add(index, places, [*branch, decoder.stop_id][:max_tactic_tokens])
            begin += len(branch)
    return predictions


def _sums(decoder: Decoder, rows: Sequence[TreeRow], predictions: _Predictions) -> Tensor:
    """Summed log-probabilities of predictions, one per sum."""
    ids_BL, position_BL, mask_BLS = pack_rows(rows, decoder.stop_id, decoder.device)
    length = ids_BL.shape[1]
    places = [r * length + p for r, p in zip(predictions.rows, predictions.places, strict=True)]
    # The tactics of a state share their first distribution, which is computed once.
    unique_M, place_of_M = torch.tensor(places, device=decoder.device).unique(return_inverse=True)
    with decoder.autocast():
        hidden_BLD = decoder.hidden(ids_BL, position_BL, mask_BLS)
        log_p_MV = decoder.log_probs(hidden_BLD.flatten(0, 1)[unique_M])
    log_p_M = log_p_MV[place_of_M, torch.tensor(predictions.targets, device=decoder.device)]
    owner_M = torch.tensor(predictions.sums, device=decoder.device)
    return sum_log_probs(log_p_M, owner_M, predictions.num_sums)


def sum_log_probs(log_p_M: Tensor, owner_M: Tensor, num_sums: int) -> Tensor:
    """Sums of log-probabilities, one per owner, (num_sums,)."""
    # In float64, since a sum over many tokens would lose the fourth decimal in float32.
    sum_N = torch.zeros(num_sums, dtype=torch.float64, device=log_p_M.device)
    return sum_N.index_add(0, owner_M, log_p_M.double()).float()


def require_possible(
    decoder: LanguageModel, tactics: Sequence[Sequence[TokenIds]], max_tactic_tokens: int
) -> None:
    """Check that tactics could have been sampled.

    Raises:
        ValueError: One is longer than `max_tactic_tokens` or contains a suppressed token.
    """
    impossible = {decoder.stop_id, *decoder.suppressed_ids}
    for tactic in (tactic for state_tactics in tactics for tactic in state_tactics):
        if len(tactic) > max_tactic_tokens:
            raise ValueError(
                f"a tactic of {len(tactic)} tokens exceeds max_tactic_tokens={max_tactic_tokens}"
            )
        if not impossible.isdisjoint(tactic):
            raise ValueError(f"tactic {tuple(tactic)} contains a special token")
