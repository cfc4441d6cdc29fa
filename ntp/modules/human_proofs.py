"""Human proofs as initial contents of the replay buffer."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch

from ntp.buffers.replay import ReplayBuffer, ReplayProof
from ntp.data.records import StepRecord
from ntp.envs.pool import EnvPool
from ntp.modules.rollout import Scorer, score_steps
from ntp.policy.policy import TacticPolicy
from ntp.types import Theorem, Verdict

SCORE_BATCH = 32

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HumanProof:
    """A proof as extracted.

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


def unread_goals(steps: Sequence[StepRecord]) -> tuple[tuple[str, ...], ...]:
    """The goals behind the first one at each step of a recorded proof that always works on the first.

    Only their number is recorded for Coq, but each is the first goal later: when as many are left behind it.
    None where a policy reads all goals.
    """
    unread = []
    for index, step in enumerate(steps):
        num = 0 if step.other_goals else step.num_other_goals
        later = {s.num_other_goals: s.state for s in reversed(steps[index + 1 :])}
        unread.append(tuple(later.get(place, "") for place in reversed(range(num))))
    return tuple(unread)


def accepted_proofs(proofs: Sequence[HumanProof], pool: EnvPool) -> list[HumanProof]:
    """The proofs whose recorded tactics the kernel accepts, one after the other on the first goal.

    Not all do: a proof may depend on what is recorded of it only in part, such as the focus on another goal
    than the first, `Unshelve`, or an option that it sets.
    """
    verdicts = pool.check_proofs([(proof.theorem, proof.tactics) for proof in proofs])
    accepted = [
        proof
        for proof, verdict in zip(proofs, verdicts, strict=True)
        if isinstance(verdict, Verdict) and verdict.accepted
    ]
    if len(accepted) < len(proofs):
        _log.info("%d of %d recorded proofs replay; only those are used", len(accepted), len(proofs))
    return accepted


@torch.no_grad()
def add_human_proofs(
    buffer: ReplayBuffer, proofs: Iterable[HumanProof], policy: TacticPolicy, reference: Scorer
) -> int:
    """Add human proofs to the buffer as if the policy had found them; returns how many were new.

    In a VarGrad group their tiny probability dominates the variance (measured: standard deviation of f 10.5
    against 1.6, gradient norm 640 against 70), so use this for theorems that the policy cannot prove.

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
