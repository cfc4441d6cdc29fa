"""The batch that an objective reads, from groups of trajectories that were scored under the prior."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate

import torch
from torch import Tensor

from ntp.buffers.replay import ReplayBuffer
from ntp.losses.batch import Inputs, TrajectoryBatch
from ntp.losses.trajectory_balance import LogZ, group_deviation
from ntp.modules.goal_targets import goal_targets
from ntp.modules.rollout import Group, Rollout, log_anchor_of, step_mask
from ntp.rewards.base import Reward, RewardComponents
from ntp.types import Status


def collate(
    groups: Sequence[Group],
    log_pf_NT: Tensor,
    inputs: Inputs,
    buffer: ReplayBuffer,
    reward: Reward,
    step: int,
    max_depth: int,
) -> TrajectoryBatch:
    """All that an objective reads but learned flows.

    Args:
        groups: Their N attempts were scored under the prior.
        log_pf_NT: log P_F of the attempts' tactics.
        inputs: What the objective asks for.
        buffer: Proofs of earlier steps.
        reward: Gives log R.
        step: The training step.
        max_depth: Maximum number of tactics of a trajectory.
    """
    attempts = [attempt for group in groups for attempt in group.attempts]
    num_steps = log_pf_NT.shape[1]
    tensor = partial(torch.tensor, device=log_pf_NT.device)
    components = [RewardComponents(a.log_ref, a.status, a.log_odds) for a in attempts]
    group_N = tensor([i for i, group in enumerate(groups) for _ in group.attempts])
    num_copies = [
        sum(other.tactics == attempt.tactics for other in group.attempts)
        for group in groups
        for attempt in group.attempts
    ]
    log_ref = [[*(a.log_ref_T or ()), *[0.0] * (num_steps - len(a.tactics))] for a in attempts]
    batch = TrajectoryBatch(
        log_pf_NT=log_pf_NT,
        mask_NT=step_mask(attempts).to(log_pf_NT.device),
        log_reward_N=log_pf_NT.new_tensor([reward.log_reward(c, step) for c in components]),
        group_N=group_N,
        proved_N=tensor([a.status is Status.PROVED for a in attempts]),
        log_ref_NT=log_pf_NT.new_tensor(log_ref),
        log_reward_std_N=log_pf_NT.new_tensor([reward.log_reward_std(c, step) for c in components]),
        num_copies_N=tensor(num_copies),
    )
    if Inputs.KNOWN_PROOFS in inputs:
        log_anchor = [log_anchor_of(group, buffer, reward, step) for group in groups]
        unseen = [buffer.unseen(group.theorem.id) for group in groups]
        batch = replace(
            batch,
            log_anchor_N=log_pf_NT.new_tensor(log_anchor)[group_N],
            unseen_N=log_pf_NT.new_tensor(unseen)[group_N],
        )
    if Inputs.GOALS in inputs:
        goals = goal_targets(attempts, buffer.all_proofs(), reward, step, max_depth)
        batch = replace(batch, goals=goals.to(log_pf_NT.device))
    return batch


def with_flows(
    batch: TrajectoryBatch,
    groups: Sequence[Group],
    inputs: Inputs,
    log_z: LogZ,
    features: Callable[[Sequence[str]], Tensor],
    log_prefix: Callable[[float], float],
) -> TrajectoryBatch:
    """The batch with what a head has learned: log Z of theorems, log F of states.

    A head that has learned nothing starts where the balance of this batch is best, which is no gradient step.

    Args:
        batch: Of the groups.
        groups: The groups.
        inputs: What the objective asks for.
        log_z: The head.
        features: The policy's features of states, (B, D).
        log_prefix: log R of a proof, from its log pi_ref, both in nats.
    """
    starts = log_z.is_zero
    if starts:
        f_N = (batch.log_pf_N - batch.log_reward_N).detach()
        log_z.start_at(float((group_deviation(f_N, batch.group_N)[0] - f_N).mean()))

    def log_z_of(states: Sequence[str]) -> Tensor:
        log_z_B = log_z(features(states))
        # The bias's gradient is 0 here up to rounding errors, from which Adam would make a full step.
        return log_z_B.detach() + 0.0 * log_z_B if starts else log_z_B

    if Inputs.LOG_Z in inputs:
        batch = replace(batch, log_z_N=log_z_of([group.root for group in groups])[batch.group_N])
    if Inputs.LOG_FLOW in inputs:
        attempts = [attempt for group in groups for attempt in group.attempts]
        log_flow_S = _log_flow(attempts, log_z_of, log_prefix)
        log_flow_NT = torch.zeros_like(batch.log_pf_NT).masked_scatter(batch.mask_NT, log_flow_S)
        batch = replace(batch, log_flow_NT=log_flow_NT)
    return batch


def _log_flow(
    attempts: Sequence[Rollout],
    log_z: Callable[[Sequence[str]], Tensor],
    log_prefix: Callable[[float], float],
) -> Tensor:
    """Log F of the states before all tactics, flat, in nats.

    It is the reward of the steps so far, as of a proof, and the flows Z of all open goals: independent goals
    multiply, and a head that reads one goal can learn no more.
    """
    goals = [
        [state, *behind]
        for attempt in attempts
        for state, behind in zip(attempt.states, attempt.unread, strict=True)
    ]
    place = {goal: i for i, goal in enumerate(dict.fromkeys(goal for each in goals for goal in each))}
    log_z_G = log_z(list(place))
    log_z_S = torch.stack([log_z_G[[place[goal] for goal in each]].sum() for each in goals])
    walked = [
        log_prefix(log_ref)
        for attempt in attempts
        for log_ref in accumulate((attempt.log_ref_T or ())[:-1], initial=0.0)
    ]
    return log_z_S + log_z_S.new_tensor(walked)
