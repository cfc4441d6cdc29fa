"""Metrics of a GFlowNet training step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from ntp.errors import InitError
from ntp.losses.batch import TrajectoryBatch
from ntp.losses.trajectory_balance import distinguishable_pairs, group_deviation
from ntp.modules.rollout import Group, Origin
from ntp.rewards.aggregation import disagreement
from ntp.rewards.base import Reward, failure_mass_bound
from ntp.types import Status


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
    drawn = [(a, p) for a, p in zip(attempts, log_pf, strict=True) if a.origin is Origin.ON_POLICY]
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
