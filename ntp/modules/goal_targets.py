"""Targets of single tactics at the goals that they were tried on, for objectives on goals."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import torch

from ntp.buffers.goals import GoalFlows, goal_moves
from ntp.buffers.replay import ReplayProof
from ntp.losses.batch import GoalTargets
from ntp.modules.rollout import Rollout
from ntp.rewards.base import Reward, RewardComponents
from ntp.types import Status

_FAILURES = frozenset({Status.STUCK, Status.TIMEOUT, Status.EXCEEDED})


def goal_targets(
    attempts: Sequence[Rollout],
    known: Iterable[ReplayProof],
    reward: Reward,
    step: int,
    max_height: int,
) -> GoalTargets:
    """The targets of all steps of some attempts, on the CPU.

    A tactic that begins a known proof of its goal has the target of `GoalFlows`. The last tactic of an
    attempt that failed has, at a goal with a known proof, the reward of a failure over the goal's flow. Other
    tactics have none: whether a tactic that the prover accepted leads to a proof is not known.

    Args:
        attempts: Scored under the prior.
        known: Proofs of earlier steps.
        reward: Gives the reward of a tactic in a proof, as if it were a proof of one step.
        step: The training step.
        max_height: Most tactics on a path of a proof tree, if no longer proof is known.
    """
    proofs = [*known, *(attempt for attempt in attempts if attempt.status is Status.PROVED)]
    flows = GoalFlows(
        goal_moves((p.states, p.tactics, p.log_ref_T or (), p.unread) for p in proofs),
        lambda log_ref: reward.log_reward(RewardComponents(log_ref, Status.PROVED), step),
        max([max_height, *(len(proof.tactics) for proof in proofs)]),
    )
    log_failure = reward.log_failure_bound(step)
    num_steps = max(len(attempt.tactics) for attempt in attempts)
    moves = [list(zip(attempt.states, attempt.tactics, strict=True)) for attempt in attempts]
    num_copies: Counter[tuple[str, str]] = Counter()
    goal_ids: dict[str, int] = {}
    log_target_NT = torch.full((len(attempts), num_steps), -math.inf)
    proved_NT = torch.zeros(log_target_NT.shape, dtype=torch.bool)
    goal_NT, copies_NT = (torch.zeros(log_target_NT.shape, dtype=torch.long) for _ in range(2))
    for n, attempt in enumerate(attempts):
        for t, (goal, tactic) in enumerate(moves[n]):
            log_target = flows.log_target(goal, tactic)
            proved_NT[n, t] = math.isfinite(log_target)
            is_last = t == len(moves[n]) - 1
            failed = attempt.status in _FAILURES and is_last and not flows.knows(goal, tactic)
            log_flow = flows.log_flow(goal)
            if failed and math.isfinite(log_flow) and math.isfinite(log_failure):
                assert attempt.log_ref_T is not None, "attempts are scored under the prior"
                log_target = attempt.log_ref_T[t] + log_failure - log_flow
            log_target_NT[n, t] = log_target
            goal_NT[n, t] = goal_ids.setdefault(goal, len(goal_ids))
            num_copies[goal, tactic] += math.isfinite(log_target)
    for n, each in enumerate(moves):
        copies_NT[n, : len(each)] = torch.tensor([max(1, num_copies[move]) for move in each])
    return GoalTargets(log_target_NT, proved_NT, goal_NT, copies_NT)
