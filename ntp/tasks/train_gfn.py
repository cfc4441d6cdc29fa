"""GFlowNet tuning of a policy against provers, and expert iteration on the same rollouts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Literal, get_args

import lightning
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig

from ntp.bounds import NonNegativeInt, PositiveFloat, PositiveInt, Share
from ntp.buffers.replay import ReplayBuffer
from ntp.data.dataset import Dataset
from ntp.data.records import TheoremRecord
from ntp.data.splits import AUTO
from ntp.envs.pool import EnvPool
from ntp.envs.script import syntax_of
from ntp.errors import ConfigError
from ntp.evaluation.inspection import read_results
from ntp.losses.batch import Inputs
from ntp.modules.curriculum import Frontier, priors_of
from ntp.modules.datamodules import TheoremDataModule
from ntp.modules.gfn_policy import GFNPolicyModule
from ntp.modules.known_proofs import accepted_proofs, add_known_proofs
from ntp.modules.minimal_proofs import ProofMinimizer
from ntp.modules.rollout import RolloutConfig
from ntp.rewards.aggregation import Learned
from ntp.rewards.base import Reward
from ntp.tasks.builders import load_verifiers
from ntp.tasks.methods import one_shot_theorems
from ntp.tasks.needs import (
    add_dataset,
    add_policy,
    add_verifier,
    inner,
    learning,
    prover_reads,
    refuse_lent_premises,
    refuse_retrieval,
    require_prover,
)
from ntp.tasks.selection import load_split, part_of, posable_theorems, require_theorems
from ntp.tasks.train import check_training, train
from ntp.types import Status, Theorem
from ntp.workflow.plan import Needs
from ntp.workflow.task import Task

Curriculum = Literal["uniform", "frontier"]
_REWARDS_OF_PROOFS = Inputs.KNOWN_PROOFS | Inputs.GOALS | Inputs.LOG_FLOW


@dataclass(frozen=True)
class GFNOptions(RolloutConfig):
    """GFlowNet tuning.

    Attributes:
        split: Part of the split whose theorems are tuned on.
        num_theorems: Theorems in a training step.
        max_proof_steps: Theorems with longer recorded proofs are left out.
        beyond_one_shot: Whether theorems are left out that one of the tactics that users try first
            (`+experiment=one_shot`) proves alone.
        curriculum: `uniform` visits all theorems alike, `frontier` rather those whose attempts are likely to
            be mixed, some proofs and some not.
        curriculum_share: Part of the theorems in one pass of the frontier.
        num_replay_theorems: Theorems whose known proofs are trained on in each step in addition to those that
            are attempted.
        replay_capacity: Proofs kept for each theorem.
        keep_unsolved: Fraction of groups without any proof that are trained on.
        log_z_lr: Learning rate of log Z, where the loss learns one.
        warmup_steps: Optimizer steps of linear warm-up.
        average_decay: Decay of an average of weights over steps, which is saved; 0 for the last weights. With
            .98 it is behind them by some fifty steps: for long runs.
        human_proofs: Whether replay begins with the recorded proofs that the kernel accepts again.
        searched_proofs: Whether replay begins with the proofs that best-first search by the supervised policy
            finds (`+experiment=search_eval`), in their minimal form.
        minimal_proofs: Whether sampled proofs are trained on, and kept, as their minimal scripts.
        seed: Seed of rollouts.
    """

    split: str = "train"
    num_theorems: PositiveInt = 12
    max_proof_steps: PositiveInt = 5
    beyond_one_shot: bool = False
    curriculum: Curriculum = "uniform"
    curriculum_share: Share = 0.35
    num_replay_theorems: NonNegativeInt = 0
    replay_capacity: PositiveInt = 32
    keep_unsolved: Share = 0.25
    log_z_lr: PositiveFloat = 0.1
    warmup_steps: NonNegativeInt = 0
    average_decay: Share = 0.0
    human_proofs: bool = False
    searched_proofs: bool = False
    minimal_proofs: bool = False
    seed: NonNegativeInt = 0


def build(
    cfg: DictConfig, dataset: Dataset, inputs: Mapping[str, Path]
) -> tuple[GFNPolicyModule, lightning.LightningDataModule]:
    """A supervised policy, to be tuned on theorems of a part of the split against live provers."""
    options = cfg.module
    candidates = dataset.select(part_of(load_split(cfg, dataset), options.split))
    records = posable_theorems(candidates, options.max_proof_steps)
    kind = f"of at most {options.max_proof_steps} steps"
    require_theorems(records, f"{kind} in the {options.split} split")
    if "one_shot" in inputs:
        proved = one_shot_theorems(inputs["one_shot"])
        records = [record for record in records if record.theorem.id not in proved]
        require_theorems(records, f"{kind} in the {options.split} split that no one-shot tactic proves")
    policy = instantiate(cfg.model).load(inner(inputs["policy"], "policy"))
    reference = policy.make_reference()
    buffer = ReplayBuffer(options.replay_capacity)
    make_env = instantiate(cfg.env)
    if known := _known_proofs(options, records, inputs):
        with EnvPool(make_env, make_env.num_workers) as pool:
            add_known_proofs(buffer, accepted_proofs(known, pool), policy, reference)
    reward, verifiers = instantiate(cfg.reward), None
    if "verifier" in inputs:
        verifiers = load_verifiers(cfg, inputs)
        if isinstance(reward.aggregation, Learned):
            reward = replace(reward, aggregation=verifiers.aggregation(reward.aggregation))
    module = GFNPolicyModule(
        policy,
        reference,
        instantiate(cfg.loss),
        reward,
        RolloutConfig(**{field.name: options[field.name] for field in fields(RolloutConfig)}),
        buffer,
        instantiate(cfg.optimizer),
        verifiers,
        ProofMinimizer(policy, syntax_of(make_env)) if options.minimal_proofs else None,
        log_z_lr=options.log_z_lr,
        keep_unsolved=options.keep_unsolved,
        num_replay_theorems=options.num_replay_theorems,
        warmup_steps=options.warmup_steps,
        average_decay=options.average_decay,
        seed=options.seed,
    )
    theorems = [record.theorem for record in records]
    data = TheoremDataModule(
        theorems,
        make_env,
        make_env.num_workers,
        options.num_theorems,
        options.seed,
        _curriculum(options, records),
    )
    return module, data


def _known_proofs(
    options: DictConfig, records: Sequence[TheoremRecord], inputs: Mapping[str, Path]
) -> list[tuple[Theorem, Sequence[str]]]:
    """Proofs with which replay begins, to be checked: recorded ones, then those that a search has found."""
    known: list[tuple[Theorem, Sequence[str]]] = []
    if options.human_proofs:
        known += [(r.theorem, [step.tactic for step in r.steps]) for r in records if r.steps]
    if "searched" in inputs:
        theorems = {record.theorem.id: record.theorem for record in records}
        found = chain.from_iterable(read_results(inputs["searched"]).values())
        known += [
            (theorems[result.theorem], proof.minimal)
            for result in found
            if result.theorem in theorems
            for proof in result.verified_proofs
        ]
    return known


def _curriculum(options: DictConfig, records: Sequence[TheoremRecord]) -> Frontier | None:
    if options.curriculum == "uniform":
        return None
    num_attempts = options.num_on_policy + options.num_tempered
    return Frontier(priors_of(records), num_attempts, options.curriculum_share, options.seed)


def _needs(needs: Needs) -> None:
    add_dataset(needs)
    add_policy(needs)
    if needs.cfg.module.beyond_one_shot:
        kind = "random" if needs.cfg.data.split.kind == AUTO else needs.cfg.data.split.kind
        chosen = [f"data.split.kind={kind}", f"evaluation.split={needs.cfg.module.split}"]
        needs.add("one_shot", ["+experiment=one_shot", *chosen])
    if needs.cfg.module.searched_proofs:
        options = [f"evaluation.split={needs.cfg.module.split}", "evaluation.max_theorems=null"]
        chosen = ["search=[best_first]", "evaluation.one_shot_tactics=[]", *options]
        needs.add("searched", ["+experiment=search_eval", *chosen], policy=needs.cfg.policy)
    if "aggregation" in needs.cfg.reward:
        add_verifier(needs)


def _check_inputs(inputs: Inputs, options: DictConfig, reward: Reward) -> None:
    """Refuse a loss that would read what the other options do not give."""
    others = ("num_replay", "num_replay_theorems", "num_tempered", "num_restarts", "minimal_proofs")
    given = [name for name in others if options[name]]
    if Inputs.FRESH in inputs and given:
        named = ", ".join(f"module.{name}={options[name]}" for name in given)
        raise ConfigError(
            f"this loss is right for trajectories as the policy samples them only: not with {named}"
        )
    if inputs & _REWARDS_OF_PROOFS and reward.scored_step(Status.PROVED, 1) is not None:
        raise ConfigError(
            "this loss needs rewards of proofs that no verifier has scored: choose another reward"
        )


def _check(cfg: DictConfig) -> None:
    require_prover(cfg)
    refuse_lent_premises(cfg)
    refuse_retrieval(cfg, "GFlowNet tuning")
    check_training(cfg)
    _check_inputs(get_class(cfg.loss._target_).inputs, cfg.module, instantiate(cfg.reward))
    if cfg.module.curriculum not in get_args(Curriculum):
        names = " or ".join(get_args(Curriculum))
        raise ConfigError(f"module.curriculum={cfg.module.curriculum}: give {names}")


TASK = Task(
    name="train_gfn",
    run=partial(train, build),
    reads=lambda cfg: learning("loss", "reward")(cfg) | prover_reads(cfg),
    needs=_needs,
    check=_check,
    distributed=True,
    weights="policy",
)
