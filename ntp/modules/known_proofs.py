"""Known proofs, of people or of a search, as initial contents of the replay buffer."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch

from ntp.buffers.replay import ReplayBuffer, ReplayProof
from ntp.envs.pool import EnvPool
from ntp.modules.rollout import Scorer, score_steps
from ntp.policy.policy import TacticPolicy
from ntp.types import ScriptResult, Theorem

SCORE_BATCH = 32

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KnownProof:
    """A proof as the prover has run it.

    Attributes:
        theorem: What it proves.
        states: The state before each tactic, as a policy reads it.
        tactics: The tactics.
        unread: The goals that stood behind it.
    """

    theorem: Theorem
    states: tuple[str, ...]
    tactics: tuple[str, ...]
    unread: tuple[tuple[str, ...], ...]


def accepted_proofs(proofs: Sequence[tuple[Theorem, Sequence[str]]], pool: EnvPool) -> list[KnownProof]:
    """The proofs whose tactics the kernel accepts, one after the other on the first goal.

    Not all recorded ones do: a proof may depend on what is recorded of it only in part, such as the focus on
    another goal than the first, `Unshelve`, or an option that it sets.
    """
    results = pool.check_scripts([(theorem, "\n".join(tactics)) for theorem, tactics in proofs])
    accepted = []
    for (theorem, tactics), result in zip(proofs, results, strict=True):
        if not isinstance(result, ScriptResult) or not result.verdict.accepted:
            continue
        steps = result.transitions
        if [step.tactic.text for step in steps] == list(tactics):
            states = tuple(step.state.text for step in steps)
            unread = tuple(step.state.unread_goals for step in steps)
            accepted.append(KnownProof(theorem, states, tuple(tactics), unread))
    if len(accepted) < len(proofs):
        _log.info("%d of %d known proofs replay; only those are used", len(accepted), len(proofs))
    return accepted


@torch.no_grad()
def add_known_proofs(
    buffer: ReplayBuffer, proofs: Iterable[KnownProof], policy: TacticPolicy, reference: Scorer
) -> int:
    """Add known proofs to the buffer as if the policy had found them; returns how many were new.

    In a VarGrad group the tiny probability of human proofs dominates the variance (measured: standard
    deviation of f 10.5 against 1.6, gradient norm 640 against 70), so use those for theorems that the policy
    cannot prove.

    Args:
        buffer: The buffer.
        proofs: Proofs that replay (`accepted_proofs`). Those with a tactic longer than the policy's limit are
            left out.
        policy: Encodes the tactics.
        reference: The prior of the reward.
    """
    unscored: list[tuple[str, ReplayProof]] = []
    for proof in proofs:
        token_ids = tuple(policy.encode_tactic(tactic) for tactic in proof.tactics)
        if all(
            policy.decode_tactic(ids) == text.strip()
            for ids, text in zip(token_ids, proof.tactics, strict=True)
        ):
            path = ReplayProof(proof.states, proof.tactics, token_ids, (), proof.unread)
            unscored.append((proof.theorem.id, path))
    num_new = 0
    for begin in range(0, len(unscored), SCORE_BATCH):
        chunk = unscored[begin : begin + SCORE_BATCH]
        log_ref_NT = score_steps(reference, [proof for _, proof in chunk])
        for (theorem_id, proof), log_ref_T in zip(chunk, log_ref_NT.tolist(), strict=True):
            scored = replace(proof, log_ref_T=tuple(log_ref_T[: len(proof.tactics)]))
            num_new += buffer.add(theorem_id, scored)
    return num_new
