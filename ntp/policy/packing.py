"""Packing of prompts with their tactics into trees, so that every state is encoded once.

A row is one prompt followed by its tactics as branches. A branch token attends to the prompt and to the
earlier tokens of its own branch, and its position continues from the prompt's, so each branch sees exactly
what it would see alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

TokenIds = Sequence[int]

# A forward pass costs as much as about this many tokens more; more padding than that does not pay.
_PASS_OVERHEAD_TOKENS = 64


@dataclass(frozen=True, slots=True)
class TreeRow:
    """A prompt, its branches, and for each branch the place where its result goes."""

    prompt: TokenIds
    branches: tuple[TokenIds, ...]
    slots: tuple[int, ...]

    @property
    def num_tokens(self) -> int:
        """Tokens that go through the model."""
        return len(self.prompt) + sum(map(len, self.branches))


def pack_rows(
    rows: Sequence[TreeRow], pad_id: int, device: torch.device
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Lay rows out as tensors, padded at the end, where no real token attends.

    Returns:
        ids_BL (tokens), position_BL (their positions) and mask_BLS (which tokens S each token L attends to),
        or None where no row has two branches: plain causal attention, which is faster without a mask.
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
        # Positions rise over the padding too: where they fell, transformers would see another sequence begin.
        return ids_BL, torch.arange(length, device=device).expand_as(ids_BL), None
    segment_BL = torch.tensor(segments, device=device)
    same = segment_BL[:, :, None] == segment_BL[:, None, :]
    mask_BLS = (same | (segment_BL == 0)[:, None, :]).tril_()
    return ids_BL, position_BL, mask_BLS


def pad_rows(rows: Sequence[TokenIds], value: int, device: torch.device, width: int | None = None) -> Tensor:
    """Rows as one tensor, (B, L), filled up at the end to the longest or to `width`."""
    width = max(map(len, rows)) if width is None else width
    return torch.tensor([[*row, *[value] * (width - len(row))] for row in rows], device=device)


def split_row(row: TreeRow, max_tokens: int) -> Iterator[TreeRow]:
    """Cut a row whose branches do not fit `max_tokens`; each part repeats the prompt and has a branch."""
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
    """Ranges of sequences, given in ascending length, to be padded and encoded together.

    Args:
        lengths: Tokens of each sequence.
        max_tokens: Most tokens of a range with padding, unless it is one sequence.
    """
    begin = 0
    for end in range(1, len(lengths) + 1):
        if end < len(lengths):
            padding = (lengths[end] - lengths[end - 1]) * (end - begin)
            if padding <= _PASS_OVERHEAD_TOKENS and lengths[end] * (end + 1 - begin) <= max_tokens:
                continue
        yield begin, end
        begin = end
