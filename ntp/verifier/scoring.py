"""Scores many tactics in many states, each tactic of a state once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ntp.data.examples import LabelledState
from ntp.policy.policy import TacticPolicy
from ntp.policy.prompt import ScoreRequest
from ntp.verifier.model import TokenIds, VerifierModel

# Maximum number of tokens of a batch, prompts and branches of all heads together.
_MAX_BATCH_TOKENS = 8192


@dataclass(frozen=True, slots=True)
class TacticScores:
    """Log-probabilities of N tactics under heads and backbone.

    Attributes:
        log_p_KN: Log-probability of each tactic in its state under each head, in nats, stop token included.
        log_ref_N: The same under the bare backbone.
        num_tokens_N: Number of tokens of each tactic, stop token included.
    """

    log_p_KN: Tensor
    log_ref_N: Tensor
    num_tokens_N: Tensor

    @property
    def log_ratio_KN(self) -> Tensor:  # noqa: N802 - the suffix is the shape
        """Log p_k - log p_ref."""
        return self.log_p_KN - self.log_ref_N


def _ignore(num_states: int) -> None:
    """Ignore progress."""


@torch.no_grad()
def score_tactics(
    verifier: VerifierModel,
    states: Sequence[str],
    tactics: Sequence[Sequence[str]],
    on_scored: Callable[[int], None] = _ignore,
) -> TacticScores:
    """Score the tactics of every state, at least one each; flat, in order.

    Args:
        verifier: The verifier.
        states: S states.
        tactics: Texts of the tactics of each state.
        on_scored: Called with the number of states of each finished batch.
    """
    ids = _encode(verifier, tactics)
    log_p: dict[int, Tensor] = {}
    log_ref: dict[int, Tensor] = {}
    for batch in _batches(verifier, states, ids):
        names, rows = [states[i] for i in batch], _padded([ids[i] for i in batch])
        log_p_KSN = verifier.log_probs(names, [rows] * verifier.num_heads)
        log_ref_SN = verifier.reference_log_probs(names, rows)
        for place, i in enumerate(batch):
            num = len(ids[i])
            log_p[i], log_ref[i] = log_p_KSN[:, place, :num].cpu(), log_ref_SN[place, :num].cpu()
        on_scored(len(batch))
    order = range(len(states))
    return TacticScores(
        log_p_KN=torch.cat([log_p[i] for i in order], dim=1),
        log_ref_N=torch.cat([log_ref[i] for i in order]),
        num_tokens_N=torch.tensor([len(tactic) + 1 for row in ids for tactic in row]),
    )


@torch.no_grad()
def reference_log_probs(
    verifier: VerifierModel,
    states: Sequence[LabelledState],
    on_scored: Callable[[int], None] = _ignore,
) -> dict[tuple[str, str], float]:
    """Log p(tactic | state) of the bare backbone, by (state, tactic)."""
    texts = [state.tactics for state in states]
    ids = _encode(verifier, texts)
    known: dict[tuple[str, str], float] = {}
    for batch in _batches(verifier, [state.state for state in states], ids):
        rows = _padded([ids[i] for i in batch])
        log_p_SN = verifier.reference_log_probs([states[i].state for i in batch], rows).tolist()
        for i, row in zip(batch, log_p_SN, strict=True):
            known |= {(states[i].state, text): log_p for text, log_p in zip(texts[i], row, strict=False)}
        on_scored(len(batch))
    return known


@torch.no_grad()
def backbone_scores(policy: TacticPolicy, states: Sequence[LabelledState]) -> TacticScores:
    """A policy's own log-probabilities in place of those of a single head."""
    rows = [[policy.encode_tactic(text) for text in state.tactics] for state in states]
    log_p = [
        policy.score([ScoreRequest(state.state, tuple(row))]) for state, row in zip(states, rows, strict=True)
    ]
    log_p_N = torch.cat(log_p).cpu()
    num_tokens_N = torch.tensor([len(tactic) + 1 for row in rows for tactic in row])
    return TacticScores(log_p_N[None], log_p_N, num_tokens_N)


def _encode(verifier: VerifierModel, tactics: Sequence[Sequence[str]]) -> list[list[TokenIds]]:
    return [[verifier.backbone.encode_tactic(text) for text in row] for row in tactics]


def _padded(rows: Sequence[Sequence[TokenIds]]) -> list[list[TokenIds]]:
    """Rows of equal length; shorter ones repeat their last tactic."""
    longest = max(map(len, rows))
    return [[*row, *[row[-1]] * (longest - len(row))] for row in rows]


def _batches(
    verifier: VerifierModel, states: Sequence[str], ids: Sequence[Sequence[TokenIds]]
) -> Iterator[list[int]]:
    """Batches of indices of states with similar numbers of tactics, within the budget of tokens."""
    num_tokens = [
        len(state) // 2 + verifier.num_heads * len(row) * (max(map(len, row)) + len(verifier.invocation_ids))
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
