"""What is trained and on what: a LightningModule and its DataModule from the config."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import lightning
from hydra.utils import instantiate
from omegaconf import DictConfig

from ntp.buffers.replay import ReplayBuffer
from ntp.data.dataset import Dataset
from ntp.data.examples import decided_states
from ntp.data.records import TheoremRecord
from ntp.models.heads import HeadSettings
from ntp.modules.datamodules import (
    LabelledStateDataModule,
    RetrievalDataModule,
    TacticDataModule,
    TheoremDataModule,
)
from ntp.modules.gfn_policy import GFNPolicyModule
from ntp.modules.human_proofs import HumanProof, add_human_proofs
from ntp.modules.retriever import RetrieverModule
from ntp.modules.rollout import RolloutConfig
from ntp.modules.sft import SFTModule
from ntp.modules.verifier_ensemble import VerifierEnsembleModule
from ntp.retrieval.corpus import PremiseCorpus
from ntp.retrieval.examples import retrieval_examples
from ntp.retrieval.negatives import ContrastiveSchedule
from ntp.tasks.builders import load_augmentation
from ntp.tasks.choices import verifier_side
from ntp.tasks.policies import load_policy, policy_directory
from ntp.tasks.selection import (
    load_split,
    posable_theorems,
    require_proofs,
    require_theorems,
    side_of,
    tactic_pairs,
)
from ntp.tasks.verifiers import labelled_side, load_verifiers
from ntp.tracking.progress import ProgressReporter
from ntp.verifier.features import ScoreFeatures
from ntp.verifier.model import VerifierModel
from ntp.verifier.scoring import reference_log_probs

Learner = SFTModule | GFNPolicyModule | VerifierEnsembleModule | RetrieverModule
Built = tuple[Learner, lightning.LightningDataModule]


def build_sft(cfg: DictConfig, dataset: Dataset, inputs: Mapping[str, Path]) -> Built:
    """A fresh policy, to be trained on the recorded proofs of the training split.

    The limits on lengths are for what is learned from: validation is on all pairs.

    Raises:
        DataError: There is nothing to learn from.
    """
    require_proofs(dataset)
    split = load_split(cfg, dataset)
    limits = (cfg.module.max_state_chars, cfg.module.max_tactic_chars)
    augmentation = load_augmentation(cfg, dataset, inputs)
    train = tactic_pairs(dataset.select(split.train), *limits, augmentation)
    val = tactic_pairs(dataset.select(split.val), augmentation=augmentation)
    policy = instantiate(cfg.model).create(text for pair in train for text in (pair.state, pair.tactic))
    module = SFTModule(
        policy,
        instantiate(cfg.optimizer),
        cfg.module.prompt_weight,
        cfg.module.warmup_steps,
        cfg.trainer.max_steps if cfg.module.decay else 0,
    )
    return module, TacticDataModule(train, val, cfg.module.batch_size, cfg.seed)


def build_gfn(cfg: DictConfig, dataset: Dataset, inputs: Mapping[str, Path]) -> Built:
    """A supervised policy, to be tuned on theorems of a side of the split against live provers."""
    side = dataset.select(side_of(load_split(cfg, dataset), cfg.module.side))
    records = posable_theorems(side, cfg.module.max_proof_steps)
    require_theorems(records, f"of at most {cfg.module.max_proof_steps} steps in the {cfg.module.side} split")
    policy = instantiate(cfg.model).load(policy_directory(inputs["policy"]))
    reference = policy.make_reference()
    options = cfg.module
    buffer = ReplayBuffer(options.replay_capacity)
    if options.human_proofs:
        add_human_proofs(buffer, map(_human_proof, records), policy, reference)
    module = GFNPolicyModule(
        policy,
        reference,
        instantiate(cfg.loss),
        instantiate(cfg.reward),
        RolloutConfig(
            num_on_policy=options.num_on_policy,
            num_tempered=options.num_tempered,
            num_replay=options.num_replay,
            temperature_min=options.temperature_min,
            temperature_max=options.temperature_max,
            max_depth=options.max_depth,
        ),
        buffer,
        instantiate(cfg.optimizer),
        load_verifiers(cfg, inputs) if "verifier" in inputs else None,
        log_z_lr=options.log_z_lr,
        keep_unsolved=options.keep_unsolved,
        warmup_steps=options.warmup_steps,
        seed=options.seed,
    )
    make_env = instantiate(cfg.env)
    theorems = [record.theorem for record in records]
    return module, TheoremDataModule(theorems, make_env, make_env.num_workers, options.seed)


def _human_proof(record: TheoremRecord) -> HumanProof:
    return HumanProof(
        record.theorem.id,
        tuple(step.state for step in record.steps),
        tuple(step.tactic for step in record.steps),
    )


def build_verifier(cfg: DictConfig, dataset: Dataset, inputs: Mapping[str, Path]) -> Built:  # noqa: ARG001
    """Heads on a supervised policy, to be trained on attempts at the theorems that are there for it."""
    train = decided_states(labelled_side(inputs["attempts"], verifier_side(cfg)))
    val = labelled_side(inputs["attempts"], "val")
    backbone = load_policy(cfg, inputs["policy"])
    options = cfg.module
    wanted = options.target_modules
    targets = wanted if isinstance(wanted, str) else list(wanted)
    heads = HeadSettings(options.num_heads, options.r, options.alpha, targets, options.seed)
    verifier = VerifierModel(backbone, heads)
    with ProgressReporter("reference", len(train), "states") as progress:
        reference = reference_log_probs(verifier, train, progress.advance)
    module = VerifierEnsembleModule(
        verifier,
        instantiate(cfg.loss),
        reference,
        instantiate(cfg.optimizer),
        ScoreFeatures(options.features, options.length_exponent),
        bootstrap=options.bootstrap,
        clip_norm=options.clip_norm,
        diversity=options.diversity,
        warmup_steps=options.warmup_steps,
        decay_steps=cfg.trainer.max_steps,
        seed=options.seed,
    )
    return module, LabelledStateDataModule(train, val, options.batch_size, options.seed)


def build_retriever(cfg: DictConfig, dataset: Dataset, inputs: Mapping[str, Path]) -> Built:  # noqa: ARG001
    """A dual encoder, to be trained on the premises that proofs of the training split use."""
    split, options = load_split(cfg, dataset), cfg.module
    corpus = PremiseCorpus.of(dataset)
    train = retrieval_examples(corpus, dataset.select(split.train))
    val = retrieval_examples(corpus, dataset.select(split.val))
    schedule = ContrastiveSchedule(
        train, corpus, options.batch_size, options.num_in_file, options.num_accessible, cfg.seed
    )
    encoder = instantiate(cfg.model).create([*(e.state for e in train), *corpus.documents])
    module = RetrieverModule(
        encoder,
        corpus,
        instantiate(cfg.loss),
        instantiate(cfg.optimizer),
        options.warmup_steps,
        cfg.trainer.max_steps if options.decay else 0,
    )
    return module, RetrievalDataModule(schedule, val, options.batch_size)


LEARNERS: dict[str, Callable[[DictConfig, Dataset, Mapping[str, Path]], Built]] = {
    "sft": build_sft,
    "gfn": build_gfn,
    "verifier": build_verifier,
    "retriever": build_retriever,
}
