"""A tactic policy tuned as a GFlowNet against the prover.

One optimizer step: attempt some theorems, let the kernel check the attempts, add replayed proofs, and move
log P_F towards log R (or, with another objective, towards the proofs) on all of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ntp.buffers.replay import ReplayBuffer
from ntp.envs.pool import EnvPool
from ntp.errors import EnvError, InitError
from ntp.experimental.sharding import Backbone
from ntp.losses.batch import Inputs, Objective, TrajectoryBatch
from ntp.losses.trajectory_balance import LogZ
from ntp.modules.gfn_batch import (
    balance_metrics,
    collate,
    failure_metrics,
    gradient_norm,
    rollout_metrics,
    verifier_metrics,
    with_flows,
)
from ntp.modules.learner import Learner, OptimizerFactory, WeightAverage
from ntp.modules.minimal_proofs import ProofMinimizer
from ntp.modules.rollout import (
    Group,
    Origin,
    Rollout,
    RolloutConfig,
    Scorer,
    sample_groups,
    score_steps,
    step_mask,
    store_proofs,
    with_canonical_tokens,
    with_prior,
    with_replay,
    with_verifier_scores,
    without_failures,
)
from ntp.policy.policy import TacticPolicy
from ntp.rewards.base import Reward, RewardComponents
from ntp.seeding import derive_seed
from ntp.types import Status, Theorem
from ntp.verifier.ensemble import VerifierEnsemble

# One theorem may fail to open through its own fault; if that many first ones do, the prover is at fault.
_MAX_UNOPENED = 8
_FLOWS = Inputs.LOG_Z | Inputs.LOG_FLOW
# Relative probability that a theorem that was always proved is replayed.
_LEAST_REPLAY = 0.1


class GFNPolicyModule(Learner):
    """Trains a policy on its own trajectories; needs a DataModule that has an `EnvPool` as `pool`.

    All randomness of a step is a function of (seed, global step, theorem), so a resumed run continues as if
    it had not been interrupted. In a distributed run every process attempts its share of the theorems with
    its own provers, and all processes receive all attempts and keep the same buffer.
    Crashed trajectories and theorems that cannot be opened are counted and left out; if the first eight
    theorems cannot be opened, `EnvError` says why.
    Gradients are clipped per parameter group, so that an inaccurate log Z does not shrink the policy's step.

    Args:
        policy: The policy to train.
        reference: The prior of the reward, frozen. Not part of this module's state.
        objective: The loss.
        reward: The reward of a trajectory.
        behaviour: The composition of a theorem's group of trajectories.
        buffer: The policy's own proofs, saved with checkpoints.
        optimizer: Builds the optimizer from parameter groups.
        verifiers: Score the trajectories that the reward names. Not part of this module's state.
        minimizer: Replaces sampled proofs by their minimal scripts; None to train on them as they are.
        log_z_lr: Learning rate of log Z, if the objective learns one.
        keep_unsolved: Fraction of the groups without any proof that are trained on.
        num_replay_theorems: Theorems of the buffer that are trained on in each step in addition to those
            that are attempted, the less often solved lately the likelier.
        warmup_steps: Optimizer steps of linear warm-up.
        decay_steps: Steps after which learning rates have decayed to a tenth, by a cosine; 0 for no decay.
        average_decay: Decay of the average of weights that is saved; see `WeightAverage`.
        seed: Seed of all rollouts.
    """

    def __init__(
        self,
        policy: TacticPolicy,
        reference: Scorer,
        objective: Objective,
        reward: Reward,
        behaviour: RolloutConfig,
        buffer: ReplayBuffer,
        optimizer: OptimizerFactory,
        verifiers: VerifierEnsemble | None = None,
        minimizer: ProofMinimizer | None = None,
        *,
        log_z_lr: float,
        keep_unsolved: float,
        num_replay_theorems: int,
        warmup_steps: int,
        decay_steps: int = 0,
        average_decay: float,
        seed: int,
    ) -> None:
        super().__init__(optimizer, warmup_steps, decay_steps)
        self.policy = policy
        self.log_z = LogZ(policy.hidden_size) if _FLOWS & objective.inputs else None
        self.buffer = buffer
        self._reference = (reference,)  # in a tuple, so that its weights are not registered in this module
        self._verifiers = verifiers
        self._minimizer = minimizer
        self._objective = objective
        self._reward = reward
        self._behaviour = behaviour
        self._log_z_lr = log_z_lr
        self._keep_unsolved = keep_unsolved
        self._num_replay_theorems = num_replay_theorems
        self._success: dict[str, float] = {}
        trained = [*policy.trainable_parameters(), *([] if self.log_z is None else self.log_z.parameters())]
        self.average = WeightAverage(trained, average_decay)
        self._seed = seed
        self._opened_any = False
        self._num_unopened = 0

    @property
    def pool(self) -> EnvPool:
        """The provers, owned by the DataModule."""
        return self.trainer.datamodule.pool  # type: ignore[attr-defined]

    def training_step(self, batch: Sequence[Theorem]) -> Tensor:
        """The objective on one group of trajectories per theorem; 0 if no group remains."""
        seed = derive_seed(self._seed, self.trainer.global_step)
        learn = None if self._minimizer is None else self._minimizer.learn
        mine = [
            group if isinstance(group, InitError) else with_canonical_tokens(group, self.policy)
            for group in sample_groups(
                self.share(batch), self.policy, self.pool, self._behaviour, seed, learn
            )
        ]
        if self._minimizer is not None:
            mine = self._minimizer.minimal(mine)
        sampled = self.gather(mine, len(batch))
        self._observe(sampled)
        # The provers load files while the gradient is computed.
        upcoming = self.trainer.datamodule.batch(self.trainer.global_step + 1)  # type: ignore[attr-defined]
        self.pool.open_ahead(self.share(upcoming))
        self._log(rollout_metrics(sampled))
        self._require_opened(sampled)
        groups = self._groups_to_train_on(sampled, seed)
        self._log(
            {
                "buffer/num_proofs": len(self.buffer),
                "buffer/num_theorems": self.buffer.num_theorems,
                "train/num_groups": len(groups),
                "train/num_trajectories": sum(len(group.attempts) for group in groups),
            }
        )
        if not groups:
            # Depends on all parameters, since every process of a distributed run has to take part.
            return 0.0 * torch.stack([p.sum() for p in self.parameters() if p.requires_grad]).sum()
        trajectories = self._collate(groups)
        loss = self._objective(trajectories)
        self._log(balance_metrics(trajectories))
        bound = self._reward.log_failure_bound(self.trainer.global_step)
        self._log(failure_metrics(groups, trajectories.log_reward_N.tolist(), bound))
        self._log(verifier_metrics(groups, trajectories.log_pf_N.tolist(), self._reward))
        self.log("train/loss", loss, prog_bar=True, batch_size=1)
        return loss

    def _observe(self, sampled: Sequence[Group | InitError]) -> None:
        """Take note of how often each theorem was proved: the curriculum and replay go by it."""
        for group in sampled:
            if isinstance(group, Group):
                proved = [
                    attempt.status is Status.PROVED
                    for attempt in group.attempts
                    if attempt.origin is not Origin.RESTARTED
                ]
                if proved:
                    self._success[group.theorem.id] = sum(proved) / len(proved)
                    self.trainer.datamodule.observe(  # type: ignore[attr-defined]
                        group.theorem.id, sum(proved), len(proved)
                    )

    def _require_opened(self, sampled: Sequence[Group | InitError]) -> None:
        unopened = [group for group in sampled if isinstance(group, InitError)]
        self._opened_any |= len(unopened) < len(sampled)
        self._num_unopened += len(unopened)
        if not self._opened_any and self._num_unopened >= _MAX_UNOPENED:
            raise EnvError(f"none of the first {self._num_unopened} theorems can be opened: {unopened[0]}")

    def _groups_to_train_on(self, sampled: Sequence[Group | InitError], seed: int) -> list[Group]:
        """Drop trajectories without evidence, add replay and the prior, and store new proofs."""
        groups = []
        for group in sampled:
            if isinstance(group, InitError):
                continue
            judged = tuple(a for a in group.attempts if a.status is not Status.CRASHED)
            group = with_replay(
                replace(group, attempts=judged), self.buffer, self._behaviour.num_replay, seed
            )
            if group.solved or self._keeps_unsolved(group, seed):
                groups.append(group if Inputs.FAILURES in self._objective.inputs else without_failures(group))
        groups = with_prior(
            [group for group in groups if group.attempts],
            partial(self._score_steps, self._reference[0]),
        )
        groups = with_verifier_scores(groups, self._reward, self._log_odds)
        # Before new proofs are stored: what is replayed was found in earlier steps.
        replayed = self._replayed({group.theorem.id for group in groups}, seed)
        store_proofs(groups, self.buffer)
        return groups + replayed

    def _keeps_unsolved(self, group: Group, seed: int) -> bool:
        return derive_seed(seed, "keep", group.theorem.id) < self._keep_unsolved * 2**63

    def _replayed(self, attempted: Collection[str], seed: int) -> list[Group]:
        """Groups of proofs of other theorems, which were not attempted in this step."""
        chosen = self.buffer.choose_theorems(
            self._num_replay_theorems,
            lambda theorem_id: max(_LEAST_REPLAY, 1 - self._success.get(theorem_id, 0.0)),
            derive_seed(seed, "replay theorems"),
        )
        theorem = self.trainer.datamodule.theorem  # type: ignore[attr-defined]
        groups = (
            with_replay(Group(theorem(theorem_id), "", ()), self.buffer, self._behaviour.num_replay, seed)
            for theorem_id in chosen
            if theorem_id not in attempted
        )
        return [replace(group, root=group.attempts[0].states[0]) for group in groups if group.attempts]

    def _log_odds(self, tactics: Sequence[tuple[str, str]]) -> Tensor:
        """The verifiers' log-odds of tactics in their states, (N, K)."""
        assert self._verifiers is not None, "this reward needs verifiers"
        score = self._verifiers.score
        return self.score_together(tactics, lambda mine: score(mine).log_odds_KN.T)

    def _collate(self, groups: Sequence[Group]) -> TrajectoryBatch:
        attempts = [attempt for group in groups for attempt in group.attempts]
        log_pf_NT = self._score_steps(self.policy, attempts)
        inputs, step = self._objective.inputs, self.trainer.global_step
        depth = self._behaviour.max_depth
        batch = collate(groups, log_pf_NT, inputs, self.buffer, self._reward, step, depth)
        if self.log_z is None:
            return batch

        def log_prefix(log_ref: float) -> float:
            return self._reward.log_reward(RewardComponents(log_ref, Status.PROVED), step)

        return with_flows(batch, groups, inputs, self.log_z, self.policy.state_features, log_prefix)

    def _score_steps(self, scorer: Scorer, attempts: Sequence[Rollout]) -> Tensor:
        """Log-probability of each tactic, (N, T), the attempts shared among processes."""
        num_steps = step_mask(attempts).shape[1]
        return self.score_together(attempts, partial(score_steps, scorer, num_steps=num_steps))

    def optimized(self) -> list[dict[str, Any]]:
        """The policy's parameters, and those of log Z with their own learning rate and no weight decay."""
        groups: list[dict[str, Any]] = [{"params": self.policy.trainable_parameters()}]
        if self.log_z is not None:
            groups.append(
                {"params": list(self.log_z.parameters()), "lr": self._log_z_lr, "weight_decay": 0.0}
            )
        return groups

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Log the policy's gradient norm before clipping; skip the update if all gradients are zero."""
        self._log({"train/grad_norm": float(gradient_norm(list(self.policy.parameters())))})
        if not gradient_norm(list(self.parameters())):
            optimizer.zero_grad(set_to_none=True)

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Make the step and take the new weights into their average, before any callback saves both."""
        super().optimizer_step(*args, **kwargs)
        self.average.update()

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,  # noqa: ARG002 - always by norm
    ) -> None:
        """Clip the gradient norm of each parameter group separately."""
        if gradient_clip_val is not None:
            for group in optimizer.param_groups:
                nn.utils.clip_grad_norm_(group["params"], gradient_clip_val)

    def on_fit_start(self) -> None:
        """Move reference and verifiers to the policy's device."""
        if isinstance(reference := self._reference[0], nn.Module):
            reference.to(self.device)
        if self._verifiers is not None:
            self._verifiers.model.to(self.device)

    def save(self, directory: Path) -> None:
        """Write the policy with its averaged weights to `directory/policy`."""
        with self.average.applied():
            self.policy.save(directory / "policy")

    def backbones(self) -> list[Backbone]:
        """The policy's, which it shares with a reference made from it, and the verifiers'."""
        policies = [self.policy, self._reference[0]]
        models = tuple(policy.decoder.model for policy in policies if isinstance(policy, TacticPolicy))
        verifiers = [] if self._verifiers is None else [self._verifiers.model.shardable()]
        return [Backbone(models), *verifiers]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save trainable parameters, the replay buffer and random states."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["replay_buffer"] = self.buffer.state_dict()
        checkpoint["success"] = dict(self._success)
        checkpoint["weight_average"] = self.average.state_dict()

    def on_load_checkpoint(self, checkpoint: Mapping[str, Any]) -> None:
        """Load them; raises `CheckpointError` if a trainable parameter is missing."""
        super().on_load_checkpoint(checkpoint)
        self.buffer.load_state_dict(checkpoint["replay_buffer"])
        self._success = dict(checkpoint["success"])
        self.average.load_state_dict(checkpoint["weight_average"])

    def _log(self, metrics: Mapping[str, float]) -> None:
        self.log_dict(dict(metrics), batch_size=1)
