"""How much of a target distribution its failures own: a bound beforehand, an estimate while training."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def failure_mass(log_reward_N: Tensor, log_pf_N: Tensor, proved_N: Tensor) -> float:
    """The failures' share of a theorem's target mass, estimated from samples of the policy.

    Self-normalised importance sampling: sum of R / P_F over the failures, divided by the same over all.

    Args:
        log_reward_N: log R of trajectories drawn from P_F itself, (N,) with N >= 1.
        log_pf_N: Their log P_F, (N,).
        proved_N: Which of them are proofs, (N,) booleans.
    """
    weight_N = torch.softmax((log_reward_N - log_pf_N).double(), dim=0)
    return float(weight_N[~proved_N].sum())


def failure_mass_bound(log_reward_fail: float, alpha_success: float, success: float) -> float:
    """The most that failures can own of a target on a theorem with one proof.

    A proof of prior probability p weighs p**alpha_success. Failures that weigh at most exp(log_reward_fail)
    pi_ref each weigh at most exp(log_reward_fail) (1 - p) together.

    Args:
        log_reward_fail: Greatest log R - log pi_ref of a failure, in nats.
        alpha_success: Exponent of the prior on proofs.
        success: p, the prior's probability of the proof, in (0, 1).
    """
    proof = success**alpha_success
    failures = math.exp(log_reward_fail) * (1 - success)
    return failures / (proof + failures)
