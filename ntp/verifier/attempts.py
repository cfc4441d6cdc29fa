"""Scoring of labelled attempts: every tactic of every state, once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ntp.data.preferences import LabelledState
from ntp.verifier.model import TokenIds, VerifierModel

# Tokens of a batch, prompts and branches of all heads together.
_MAX_BATCH_TOKENS = 8192


@dataclass(frozen=True, slots=True)
class ScoredAttempts:
    """N labelled tactics with what heads and backbone think of them.

    Attributes:
        states: Index of each tactic's state.
        tactics: Texts.
        log_p_KN: Under each head, in nats.
        log_ref_N: Under the bare backbone.
        num_tokens_N: Of each tactic, stop token included.
        label_N: 1 for correct, 0 for incorrect.
    """

    states: tuple[int, ...]
    tactics: tuple[str, ...]
    log_p_KN: Tensor
    log_ref_N: Tensor
    num_tokens_N: Tensor
    label_N: Tensor

    @property
    def log_ratio_KN(self) -> Tensor:  # noqa: N802 - the suffix is the shape
        """Log p_k - log p_ref."""
        return self.log_p_KN - self.log_ref_N


def _ignore(num_states: int) -> None:
    """Report progress to nobody."""


@torch.no_grad()
def score_attempts(
    verifier: VerifierModel,
    states: Sequence[LabelledState],
    on_scored: Callable[[int], None] = _ignore,
) -> ScoredAttempts:
    """Score all tactics of labelled states, states in order, correct tactics first."""
    texts = [[*state.correct, *state.incorrect] for state in states]
    ids = [[verifier.backbone.encode_tactic(text) for text in row] for row in texts]
    log_p: dict[int, Tensor] = {}
    log_ref: dict[int, Tensor] = {}
    for batch in _batches(verifier, states, ids):
        names = [states[i].state for i in batch]
        rows = _padded([ids[i] for i in batch])
        log_p_KSN = verifier.log_probs(names, [rows] * verifier.num_heads)
        log_ref_SN = verifier.reference_log_probs(names, rows)
        for place, i in enumerate(batch):
            num = len(ids[i])
            log_p[i], log_ref[i] = log_p_KSN[:, place, :num].cpu(), log_ref_SN[place, :num].cpu()
        on_scored(len(batch))
    return ScoredAttempts(
        states=tuple(i for i, row in enumerate(texts) for _ in row),
        tactics=tuple(text for row in texts for text in row),
        log_p_KN=torch.cat([log_p[i] for i in range(len(states))], dim=1),
        log_ref_N=torch.cat([log_ref[i] for i in range(len(states))]),
        num_tokens_N=torch.tensor([len(tactic) + 1 for row in ids for tactic in row]),
        label_N=torch.tensor(
            [label for s in states for label in [1.0] * len(s.correct) + [0.0] * len(s.incorrect)]
        ),
    )


@torch.no_grad()
def reference_log_probs(
    verifier: VerifierModel,
    states: Sequence[LabelledState],
    on_scored: Callable[[int], None] = _ignore,
) -> dict[tuple[str, str], float]:
    """Log p(tactic | state) of the bare backbone, by (state, tactic)."""
    texts = [[*state.correct, *state.incorrect] for state in states]
    ids = [[verifier.backbone.encode_tactic(text) for text in row] for row in texts]
    known: dict[tuple[str, str], float] = {}
    for batch in _batches(verifier, states, ids):
        rows = _padded([ids[i] for i in batch])
        log_p_SN = verifier.reference_log_probs([states[i].state for i in batch], rows).tolist()
        for i, row in zip(batch, log_p_SN, strict=True):
            known |= {(states[i].state, text): log_p for text, log_p in zip(texts[i], row, strict=False)}
        on_scored(len(batch))
    return known


def _padded(rows: Sequence[Sequence[TokenIds]]) -> list[list[TokenIds]]:
    """Rows of one length; what is too short repeats its last tactic."""
    longest = max(map(len, rows))
    return [[*row, *[row[-1]] * (longest - len(row))] for row in rows]


def _batches(
    verifier: VerifierModel, states: Sequence[LabelledState], ids: Sequence[Sequence[TokenIds]]
) -> Iterator[list[int]]:
    """Indices of states with about as many tactics, within the budget of tokens."""
    num_tokens = [
        len(state.state) // 2
        + verifier.num_heads * len(row) * (max(map(len, row)) + len(verifier.invocation_ids))
        for state, row in zip(states, ids, strict=True)
    ]
    batch: list[int] = []
    most = 0
    for i in sorted(range(len(states)), key=lambda i: (len(ids[i]), num_tokens[i])):
        if batch and (len(batch) + 1) * max(most, num_tokens[i]) > _MAX_BATCH_TOKENS:
            yield batch
            batch, most = [], 0
        batch.append(i)
        most = max(most, num_tokens[i])
    if batch:
        yield batch
