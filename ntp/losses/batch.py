"""What losses are computed from, and the interfaces that they share.

Suffixes: N trajectories, K verifier heads, S states, P the pair (correct, incorrect).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from torch import Tensor


@dataclass(frozen=True, slots=True)
class TrajectoryBatch:
    """The input of an objective, one entry per trajectory.

    Attributes:
        log_pf_N: log P_F of the whole trajectory under the policy in training, differentiable.
        log_reward_N: log R.
        group_N: Integer naming the trajectory's theorem.
        proved_N: Whether the kernel accepted it.
        log_z_N: Learned log Z of the trajectory's theorem; None unless the objective needs it.
        log_reward_std_N: Standard deviation of log R over verifiers; None stands for zeros.
        num_copies_N: How many trajectories of the theorem have the same tactics; None stands for ones.
        log_anchor_N: logsumexp of log R over the distinct known proofs of the trajectory's theorem, in nats;
            minus infinity where none is known.
        unseen_N: Estimated share of the theorem's proofs, by probability, that were never sampled, in [0, 1).
            Both None unless the objective needs them.
        log_ref_N: log pi_ref of the whole trajectory, in nats.
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


class Objective(Protocol):
    """A loss on judged trajectories. To add one, implement this and a config in `conf/loss/`.

    Attributes:
        needs_log_z: Whether a learned log Z(x) is needed.
        needs_known_proofs: Whether `log_anchor_N` and `unseen_N` are needed.
        learns_from_failures: Whether trajectories without a proof change the loss; if not, they are left out.
    """

    needs_log_z: ClassVar[bool]
    needs_known_proofs: ClassVar[bool]
    learns_from_failures: ClassVar[bool]

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
