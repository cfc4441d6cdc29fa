"""Teacher-forced log-probabilities under an encoder-decoder, differentiable, each state encoded once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ntp.policy.encoder_decoder import EncodedStates, EncoderDecoder
from ntp.policy.scorer import TokenIds, TreeRow, micro_batches, pad_rows, require_possible, sum_log_probs

MAX_BATCH_TOKENS = 8192


def score_tactics(
    decoder: EncoderDecoder,
    prompts: Sequence[TokenIds],
    tactics: Sequence[Sequence[TokenIds]],
    max_tactic_tokens: int,
) -> Tensor:
    """Log-probabilities log P_F of tactics, stop token included, in nats.

    The same quantity as `ntp.policy.scorer.score_tactics` for causal models. States with the same number of
    tactics are scored together, so that a batch has no empty rows.

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
    by_count: dict[int, list[TreeRow]] = {}
    num_tactics = 0
    for prompt, state_tactics in zip(prompts, tactics, strict=True):
        slots = tuple(range(num_tactics, num_tactics + len(state_tactics)))
        num_tactics += len(slots)
        if slots:
            by_count.setdefault(len(slots), []).append(TreeRow(prompt, tuple(state_tactics), slots))
    scores, order = [], []
    for rows in by_count.values():
        for group in micro_batches(rows, MAX_BATCH_TOKENS):
            group.sort(key=lambda row: len(row.prompt))
            scores.append(_score_group(decoder, group, max_tactic_tokens))
            order += [slot for row in group for slot in row.slots]
    if not scores:
        return torch.zeros(0, device=decoder.device)
    slot_N = torch.tensor(order, device=decoder.device)
    return torch.cat(scores)[slot_N.argsort()]


def _score_group(decoder: EncoderDecoder, rows: Sequence[TreeRow], max_tactic_tokens: int) -> Tensor:
    """Log-probabilities of the branches, row by row; all rows have the same number of branches."""
    num_branches = len(rows[0].branches)
    longest = min(1 + max(len(b) for row in rows for b in row.branches), max_tactic_tokens)
    num_at_once = max(1, MAX_BATCH_TOKENS // (len(rows) * longest))
    parts = []
    with decoder.autocast():
        states = decoder.encode([row.prompt for row in rows])
        for first in range(0, num_branches, num_at_once):
            branches = [b for row in rows for b in row.branches[first : first + num_at_once]]
            parts.append(_log_probs(decoder, states, branches, max_tactic_tokens).view(len(rows), -1))
    return torch.cat(parts, dim=1).flatten()


def _log_probs(
    decoder: EncoderDecoder, states: EncodedStates, tactics: Sequence[TokenIds], max_tactic_tokens: int
) -> Tensor:
    """Log-probabilities of tactics, state by state, with the same number of tactics for each."""
    fed = [[decoder.start_id, *tactic][:max_tactic_tokens] for tactic in tactics]
    targets = [[*tactic, decoder.stop_id][:max_tactic_tokens] for tactic in tactics]
    hidden_BLD = decoder.hidden(pad_rows(fed, decoder.stop_id, decoder.device), states)
    owners = [row for row, tokens in enumerate(targets) for _ in tokens]
    places = [place for tokens in targets for place in range(len(tokens))]
    # Padding is removed before the output layer.
    log_p_MV = decoder.log_probs(hidden_BLD[owners, places])
    target_M = torch.tensor([token for tokens in targets for token in tokens], device=decoder.device)
    log_p_M = log_p_MV.gather(1, target_M[:, None])[:, 0]
    return sum_log_probs(log_p_M, torch.tensor(owners, device=decoder.device), len(tactics))
