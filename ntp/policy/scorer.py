"""Teacher-forced log-probabilities of tactics, differentiable, each state encoded once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ntp.policy.decoder import Decoder
from ntp.policy.packing import TokenIds, TreeRow, micro_batches, pack_rows, split_row

MAX_BATCH_TOKENS = 2048


def score_tactics(
    decoder: Decoder,
    prompts: Sequence[TokenIds],
    tactics: Sequence[Sequence[TokenIds]],
    max_tactic_tokens: int,
) -> Tensor:
    """Log-probabilities log P_F of tactics, stop token included, in nats.

    log P_F(t_1 .. t_L) is the sum of log p(t_i | prompt, t_<i) over i plus log p(stop | prompt, t_1 .. t_L).
    A tactic of `max_tactic_tokens` tokens is stopped with probability one, so that the probabilities of all
    tactics sum to one; the sampler does the same.

    Args:
        decoder: The model.
        prompts: One per state.
        tactics: Per state, token ids without the stop token.
        max_tactic_tokens: Longest tactic.

    Returns:
        Flat, one per tactic, in order.

    Raises:
        ValueError: A tactic is longer than `max_tactic_tokens` or holds a token that no tactic may hold.
    """
    _require_possible(decoder, tactics, max_tactic_tokens)
    rows, num_tactics = [], 0
    for prompt, state_tactics in zip(prompts, tactics, strict=True):
        slots = tuple(range(num_tactics, num_tactics + len(state_tactics)))
        num_tactics += len(slots)
        if slots:
            rows.extend(split_row(TreeRow(prompt, tuple(state_tactics), slots), MAX_BATCH_TOKENS))
    scores, order = [], []
    for group in micro_batches(rows, MAX_BATCH_TOKENS):
        scores.append(_score_group(decoder, group, max_tactic_tokens))
        order += [slot for row in group for slot in row.slots]
    if not scores:
        return torch.zeros(0, device=decoder.device)
    slot_N = torch.tensor(order, device=decoder.device)
    return torch.cat(scores)[slot_N.argsort()]


def _score_group(decoder: Decoder, rows: Sequence[TreeRow], max_tactic_tokens: int) -> Tensor:
    """Log-probabilities of the branches of a few rows, row by row."""
    ids_BL, position_BL, mask_BLS = pack_rows(rows, decoder.stop_id, decoder.device)
    # Every prediction is one triple: the flat place of the hidden state, the target token, the branch.
    places, targets, branches = [], [], []
    length, num_branches = ids_BL.shape[1], 0
    for index, row in enumerate(rows):
        marker = index * length + len(row.prompt) - 1
        begin = marker + 1
        for branch in row.branches:
            row_places = [marker, *range(begin, begin + len(branch))]
            row_targets = [*branch, decoder.stop_id][:max_tactic_tokens]
            places += row_places[: len(row_targets)]
            targets += row_targets
            branches += [num_branches] * len(row_targets)
            begin += len(branch)
            num_branches += 1
    # Tactics of a state share the marker, whose distribution is computed once.
    unique_M, place_of_M = torch.tensor(places, device=decoder.device).unique(return_inverse=True)
    with decoder.autocast():
        hidden_BLD = decoder.hidden(ids_BL, position_BL, mask_BLS)
        log_p_MV = decoder.log_probs(hidden_BLD.flatten(0, 1)[unique_M])
    log_p_M = log_p_MV[place_of_M, torch.tensor(targets, device=decoder.device)]
    branch_M = torch.tensor(branches, device=decoder.device)
    # In float64, since a sum over many tokens would lose the fourth decimal in float32.
    sum_N = torch.zeros(num_branches, dtype=torch.float64, device=decoder.device)
    return sum_N.index_add(0, branch_M, log_p_M.double()).float()


def _require_possible(
    decoder: Decoder, tactics: Sequence[Sequence[TokenIds]], max_tactic_tokens: int
) -> None:
    impossible = {decoder.stop_id, *decoder.suppressed_ids}
    for tactic in (tactic for state_tactics in tactics for tactic in state_tactics):
        if len(tactic) > max_tactic_tokens:
            raise ValueError(
                f"a tactic of {len(tactic)} tokens exceeds max_tactic_tokens={max_tactic_tokens}"
            )
        if not impossible.isdisjoint(tactic):
            raise ValueError(f"tactic {tuple(tactic)} holds a special token")
