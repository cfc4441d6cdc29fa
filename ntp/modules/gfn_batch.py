"""What the groups of a tuning step amount to: the batch that the objective reads, and the step's metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate

import torch
from torch import Tensor

from ntp.buffers.replay import ReplayBuffer
from ntp.errors import InitError
from ntp.losses.batch import Inputs, TrajectoryBatch
from ntp.losses.trajectory_balance import LogZ, distinguishable_pairs, group_deviation
from ntp.modules.goal_targets import goal_targets
from ntp.modules.rollout import Group, Origin, Rollout, log_anchor_of, step_mask
from ntp.rewards.aggregation import disagreement
from ntp.rewards.base import Reward, RewardComponents, failure_mass_bound
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
    tensor = partial(torch.tensor, device=log_pf_NT.device)
    components = [RewardComponents(a.log_ref, a.status, a.log_odds) for a in attempts]
    group_N = tensor([i for i, group in enumerate(groups) for _ in group.attempts])
    num_copies = [
        sum(other.tactics == attempt.tactics for other in group.attempts)
        for group in groups
        for attempt in group.attempts
    ]
    batch = TrajectoryBatch(
        log_pf_N=log_pf_NT.sum(1),
        log_reward_N=log_pf_NT.new_tensor([reward.log_reward(c, step) for c in components]),
        group_N=group_N,
        proved_N=tensor([a.status is Status.PROVED for a in attempts]),
        log_ref_N=log_pf_NT.new_tensor([a.log_ref for a in attempts]),
        log_reward_std_N=log_pf_NT.new_tensor([reward.log_reward_std(c, step) for c in components]),
        num_copies_N=tensor(num_copies),
        log_pf_NT=log_pf_NT,
        mask_NT=step_mask(attempts).to(log_pf_NT.device),
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
        assert batch.log_pf_NT is not None and batch.mask_NT is not None
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


def rollout_metrics(groups: Sequence[Group | InitError]) -> dict[str, float]:
    """Counts over all requested trajectories, before any is dropped.

    Rates are over all sampled trajectories, crashed ones included.
    """
    opened = [group for group in groups if isinstance(group, Group)]
    attempts = [attempt for group in opened for attempt in group.attempts]
    status = Counter(attempt.status for attempt in attempts)
    on_policy = [attempt for attempt in attempts if attempt.origin is Origin.ON_POLICY]
    metrics: dict[str, float] = {
        "rollout/num_init_errors": len(groups) - len(opened),
        "rollout/num_crashed": status[Status.CRASHED],
        "rollout/num_timeouts": status[Status.TIMEOUT],
        "rollout/num_stopped_by_limits": status[Status.EXCEEDED],
        "rollout/num_truncated": status[Status.TRUNCATED],
        "rollout/num_distinct_proofs": sum(
            len({a.token_ids for a in group.attempts if a.status is Status.PROVED}) for group in opened
        ),
    }
    if opened:
        metrics["rollout/solved"] = sum(group.solved for group in opened) / len(groups)
    if attempts:
        metrics["rollout/num_tactics"] = sum(len(attempt.tactics) for attempt in attempts) / len(attempts)
    if on_policy:
        proved = sum(attempt.status is Status.PROVED for attempt in on_policy)
        metrics["rollout/success"] = proved / len(on_policy)
    return metrics


def balance_metrics(batch: TrajectoryBatch) -> dict[str, float]:
    """How far from balance the trained trajectories are.

    `train/log_z` is the learned log Z if there is one, else its VarGrad estimate; a mean over theorems.
    `train/doubtful_pairs` is the share of pairs of trajectories of a theorem whose rewards differ by less
    than the verifiers' disagreement: those that the pairwise loss leaves out.

    Args:
        batch: The input of the loss, at least one trajectory.
    """
    f_N = batch.log_pf_N.detach() - batch.log_reward_N
    deviation_N, index_N, size_G = group_deviation(f_N, batch.group_N)
    metrics = {"train/log_reward": float(batch.log_reward_N.mean())}
    if (size_G > 1).any():
        variance_G = f_N.new_zeros(size_G.shape).index_add(0, index_N, deviation_N.square()) / (size_G - 1)
        metrics["train/f_std"] = float(variance_G[size_G > 1].sqrt().mean())
    log_z_N = -(f_N - deviation_N) if batch.log_z_N is None else batch.log_z_N.detach()
    metrics["train/log_z"] = float((log_z_N / size_G[index_N]).sum() / len(size_G))
    if batch.log_reward_std_N is not None and batch.log_reward_std_N.any() and (size_G > 1).any():
        *_, kept_P = distinguishable_pairs(batch.log_reward_N, batch.log_reward_std_N, batch.group_N)
        metrics["train/doubtful_pairs"] = 1 - float(kept_P.float().mean())
    return metrics


def failure_metrics(groups: Sequence[Group], log_reward: Sequence[float], bound: float) -> dict[str, float]:
    """`train/failure_mass_bound`: the most that failures can have of the target, mean over solved theorems.

    The proofs of a theorem have at least the rewards of the distinct ones at hand (`failure_mass_bound`).

    Args:
        groups: The groups that are trained on.
        log_reward: Log R of their attempts, in order.
        bound: `Reward.log_failure_bound`.
    """
    rewards = iter(log_reward)
    masses = []
    for group in groups:
        pairs = [(attempt, next(rewards)) for attempt in group.attempts]
        proofs = {(a.states, a.tactics): (r, a.log_ref) for a, r in pairs if a.status is Status.PROVED}
        if proofs:
            log_reward_M, log_ref_M = torch.tensor(list(proofs.values()), dtype=torch.float64).T
            success = min(1.0, float(log_ref_M.exp().sum()))
            masses.append(failure_mass_bound(bound, float(log_reward_M.logsumexp(0)), success))
    return {"train/failure_mass_bound": sum(masses) / len(masses)} if masses else {}


def verifier_metrics(groups: Sequence[Group], log_pf: Sequence[float], reward: Reward) -> dict[str, float]:
    """How far the policy is from its prior, and how well the verifiers' scores agree with the kernel.

    All are means over the on-policy trajectories that were trained on; a key is left out if there are none.
    `verifier/probability` is the aggregated score of those that verifiers scored. If they score proofs too,
    `verifier/proved` is the share of those that the kernel proved: a policy that exploits its verifiers
    raises the first and not the second.

    Args:
        groups: The groups that were trained on.
        log_pf: log P_F of their attempts, in order.
        reward: The reward, which says which trajectories verifiers score.
    """
    attempts = [attempt for group in groups for attempt in group.attempts]
    drawn = [
        (a, p)
        for a, p in zip(attempts, log_pf, strict=True)
        if a.origin is Origin.ON_POLICY and not a.rewritten
    ]
    metrics: dict[str, float] = {}
    if drawn:
        metrics["train/kl_to_prior"] = sum(p - a.log_ref for a, p in drawn) / len(drawn)
    asked = [a for a, _ in drawn if a.log_odds]
    if asked and reward.aggregation is not None:
        log_odds_KN = torch.tensor([a.log_odds for a in asked]).T
        metrics["verifier/probability"] = float(reward.aggregation(log_odds_KN).sigmoid().mean())
        if reward.scored_step(Status.PROVED, 1) is not None:
            metrics["verifier/proved"] = sum(a.status is Status.PROVED for a in asked) / len(asked)
        metrics["verifier/disagreement"] = float(disagreement(log_odds_KN).mean())
    return metrics


def gradient_norm(parameters: Sequence[Tensor]) -> Tensor:
    """Euclidean norm of all gradients together, a scalar."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    return torch.nn.utils.get_total_norm(gradients)
