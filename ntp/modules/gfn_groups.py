"""What is added to the groups of a training step before they are trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ntp.buffers.replay import ReplayBuffer, ReplayProof
from ntp.modules.rollout import Group, Origin, Rollout
from ntp.rewards.base import Reward, RewardComponents
from ntp.types import Status


def without_failures(group: Group) -> Group:
    """The group with its proofs only."""
    return replace(group, attempts=tuple(a for a in group.attempts if a.status is Status.PROVED))


def with_prior(groups: Sequence[Group], score: Callable[[Sequence[Rollout]], Tensor]) -> list[Group]:
    """Give every new attempt its log-probability under the reference.

    Args:
        groups: Attempts that come from the buffer have theirs.
        score: Log-probabilities of trajectories, (N,) in nats.
    """
    new = [attempt for group in groups for attempt in group.attempts if attempt.log_ref is None]
    with torch.no_grad():
        log_ref = iter(score(new).tolist() if new else [])
    return [
        replace(
            group,
            attempts=tuple(
                replace(a, log_ref=next(log_ref)) if a.log_ref is None else a for a in group.attempts
            ),
        )
        for group in groups
    ]


def with_verifier_scores(
    groups: Sequence[Group], reward: Reward, log_odds: Callable[[Sequence[tuple[str, str]]], Tensor]
) -> list[Group]:
    """Let the verifiers score the tactic that the reward names of each attempt.

    Args:
        groups: The groups.
        reward: Says which tactic, if any.
        log_odds: Log-odds of tactics in their states, (N, K); called only if the reward names any.
    """

    def step_of(attempt: Rollout) -> int | None:
        return reward.scored_step(attempt.status, len(attempt.tactics))

    asked = [
        (attempt.states[step], attempt.tactics[step])
        for group in groups
        for attempt in group.attempts
        if (step := step_of(attempt)) is not None
    ]
    if not asked:
        return list(groups)
    scores = map(tuple, log_odds(asked).tolist())
    return [
        replace(
            group,
            attempts=tuple(
                a if step_of(a) is None else replace(a, log_odds=next(scores)) for a in group.attempts
            ),
        )
        for group in groups
    ]


def store_proofs(groups: Sequence[Group], buffer: ReplayBuffer) -> None:
    """Keep the proofs that are not from the buffer, which must have been scored under the reference."""
    for group in groups:
        for attempt in group.attempts:
            if attempt.status is Status.PROVED and attempt.origin is not Origin.REPLAY:
                assert attempt.log_ref is not None
                num_sampled = int(attempt.origin is Origin.ON_POLICY)
                path = (attempt.states, attempt.tactics, attempt.token_ids)
                buffer.add(group.theorem.id, ReplayProof(*path, attempt.log_ref, num_sampled))


def log_anchor_of(group: Group, buffer: ReplayBuffer, reward: Reward, step: int) -> float:
    """Logsumexp of log R over the distinct known proofs of a theorem, in nats; minus infinity without any.

    Args:
        group: Attempts at the theorem.
        buffer: Proofs of earlier steps.
        reward: Its log R of a proof must need no verifiers.
        step: The training step.
    """
    log_ref = {proof.key: proof.log_ref for proof in buffer.proofs(group.theorem.id)}
    for attempt in group.attempts:
        if attempt.status is Status.PROVED and attempt.log_ref is not None:
            log_ref[attempt.tactics] = attempt.log_ref
    log_reward = [
        reward.log_reward(RewardComponents(value, Status.PROVED), step) for value in log_ref.values()
    ]
    return torch.tensor(log_reward or [-torch.inf], dtype=torch.float64).logsumexp(0).item()
