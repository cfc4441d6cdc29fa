"""What losses are computed from, and the interfaces that they share.

Suffixes: N trajectories, T steps of a trajectory, K verifier heads, S states, P the pair (correct,
incorrect).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag, auto
from typing import ClassVar, Protocol

import torch
from torch import Tensor


class Inputs(Flag):
    """What an objective reads of a batch, apart from likelihoods and rewards; a module computes no more."""

    FAILURES = auto()
    """Trajectories without a proof; they are left out for an objective that does not learn from them."""
    LOG_Z = auto()
    """A learned log Z of every theorem."""
    LOG_FLOW = auto()
    """A learned log F of every state."""
    KNOWN_PROOFS = auto()
    """The rewards of each theorem's known proofs."""
    FRESH = auto()
    """Only trajectories as the policy has sampled them: no replay, and no script that was changed."""
    GOALS = auto()
    """Targets of single tactics, from all known proofs of goals."""


@dataclass(frozen=True, slots=True)
class GoalTargets:
    """What is known of each step as a move at its goal, merged over all theorems by the goal's text.

    Attributes:
        log_target_NT: Log of the probability that the target gives the tactic at its goal, in nats; minus
            infinity where neither a proof nor a failure is known that begins with it.
        proved_NT: Whether the tactic begins a known proof of its goal.
        goal_NT: Integer naming the goal's text.
        num_copies_NT: Steps of the batch that have the same goal and the same tactic.
    """

    log_target_NT: Tensor
    proved_NT: Tensor
    goal_NT: Tensor
    num_copies_NT: Tensor

    def to(self, device: torch.device) -> GoalTargets:
        """The same on a device."""
        fields = (self.log_target_NT, self.proved_NT, self.goal_NT, self.num_copies_NT)
        return GoalTargets(*(tensor.to(device) for tensor in fields))


@dataclass(frozen=True, slots=True)
class TrajectoryBatch:
    """The input of an objective: N trajectories, their single steps padded to the T steps of the longest.

    Attributes:
        log_pf_N: log P_F of the whole trajectory under the policy in training, differentiable.
        log_reward_N: log R.
        group_N: Integer naming the trajectory's theorem.
        proved_N: Whether the kernel accepted it.
        log_z_N: Learned log Z of the trajectory's theorem; None unless the objective asks for it.
        log_reward_std_N: Standard deviation of log R over verifiers; None stands for zeros.
        num_copies_N: How many trajectories of the theorem have the same tactics; None stands for ones.
        log_anchor_N: logsumexp of log R over the distinct known proofs of the trajectory's theorem, in nats;
            minus infinity where none is known.
        unseen_N: Estimated share of the theorem's proofs, by probability, that were never sampled, in [0, 1).
            Both None unless asked for.
        log_ref_N: log pi_ref of the whole trajectory, in nats.
        log_pf_NT: log P_F of each tactic, differentiable; 0 in the padding.
        mask_NT: Whether a trajectory has that step.
        log_flow_NT: Learned log F of the state before each tactic; None unless asked for.
        goals: Targets of single tactics; None unless asked for.
    """

    log_pf_N: Tensor
    log_reward_N: Tensor
    group_N: Tensor
    proved_N: Tensor
    log_z_N: Tensor | None = None
    log_reward_std_N: Tensor | None = None
    num_copies_N: Tensor | None = None
    log_anchor_N: Tensor | None = None
    unseen_N: Tensor | None = None
    log_ref_N: Tensor | None = None
    log_pf_NT: Tensor | None = None
    mask_NT: Tensor | None = None
    log_flow_NT: Tensor | None = None
    goals: GoalTargets | None = None


class Objective(Protocol):
    """A loss on judged trajectories. To add one, implement this and a config in `conf/loss/`.

    Attributes:
        inputs: What it reads.
    """

    inputs: ClassVar[Inputs]

    def __call__(self, batch: TrajectoryBatch) -> Tensor:
        """A differentiable scalar."""
        ...


@dataclass(frozen=True, slots=True)
class PairBatch:
    """A pair of tactics in each of S states for each of K heads; the last dimension is (correct, incorrect).

    Attributes:
        log_p_KSP: log p_k of the tactics, in nats, differentiable.
        log_ref_KSP: log p of the bare backbone.
        num_tokens_KSP: Tokens of each tactic, stop token included.
        weight_KS: How often the state is in the head's bootstrap sample.
    """

    log_p_KSP: Tensor
    log_ref_KSP: Tensor
    num_tokens_KSP: Tensor
    weight_KS: Tensor

    @property
    def log_ratio_KSP(self) -> Tensor:  # noqa: N802 - the suffix is the shape
        """Log p_k - log p_ref."""
        return self.log_p_KSP - self.log_ref_KSP


class VerifierObjective(Protocol):
    """A loss on pairs: the sum of what each head would have alone.

    Attributes:
        beta: Log-odds of a correct tactic per nat of log-ratio; None if the likelihood is the score.
    """

    @property
    def beta(self) -> float | None: ...  # noqa: D102 - an attribute

    def __call__(self, batch: PairBatch) -> Tensor:
        """A differentiable scalar."""
        ...
