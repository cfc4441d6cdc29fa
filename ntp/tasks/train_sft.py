"""Supervised fine-tuning of a policy on recorded proofs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import lightning
from hydra.utils import instantiate
from omegaconf import DictConfig

from ntp.bounds import NonNegativeFloat, NonNegativeInt, PositiveInt
from ntp.data.dataset import Dataset
from ntp.modules.sft import SFTModule
from ntp.modules.supervised_data import TacticDataModule
from ntp.tasks.builders import load_augmentation
from ntp.tasks.needs import (
    add_dataset,
    add_policy,
    add_retrieval,
    inner,
    learning,
    refuse_lent_premises,
    retrieval_reads,
)
from ntp.tasks.selection import load_split, require_proofs, tactic_pairs
from ntp.tasks.train import check_training, train
from ntp.workflow.plan import Needs
from ntp.workflow.task import Task


@dataclass(frozen=True)
class SFTOptions:
    """Supervised fine-tuning, of a fresh policy or of the one that `policy` names.

    Attributes:
        batch_size: Tactics in a batch.
        prompt_weight: Weight of the states' own tokens in the loss. A model trained from nothing learns to
            read from them; a pretrained one needs none.
        warmup_steps: Optimizer steps of linear warm-up.
        decay: Whether the learning rate falls to a tenth by a cosine over `trainer.max_steps`.
        keep_best: Whether to save the weights with the least loss on validation data (`val/nll`) instead of
            the last ones. They are looked for every `trainer.val_check_interval` steps.
        max_state_chars: Longer states are not trained on; null for no limit.
        max_tactic_chars: Longer tactics are not trained on; null for no limit.
    """

    batch_size: PositiveInt = 32
    prompt_weight: NonNegativeFloat = 0.0
    warmup_steps: NonNegativeInt = 100
    decay: bool = True
    keep_best: bool = True
    max_state_chars: PositiveInt | None = None
    max_tactic_chars: PositiveInt | None = None


def build(
    cfg: DictConfig, dataset: Dataset, inputs: Mapping[str, Path]
) -> tuple[SFTModule, lightning.LightningDataModule]:
    """A fresh policy or a trained one, to be trained on the recorded proofs of the training split.

    Limits on lengths apply to training only: validation is on all pairs.

    Raises:
        DataError: There is nothing to learn from.
    """
    require_proofs(dataset)
    split = load_split(cfg, dataset)
    limits = (cfg.module.max_state_chars, cfg.module.max_tactic_chars)
    augmentation = load_augmentation(cfg, dataset, inputs)
    train = tactic_pairs(dataset.select(split.train), *limits, augmentation)
    val = tactic_pairs(dataset.select(split.val), augmentation=augmentation)
    model = instantiate(cfg.model)
    if "policy" in inputs:
        policy = model.load(inner(inputs["policy"], "policy"))
    else:
        policy = model.create(text for pair in train for text in (pair.state, pair.tactic))
    module = SFTModule(
        policy,
        instantiate(cfg.optimizer),
        cfg.module.prompt_weight,
        cfg.module.warmup_steps,
        cfg.trainer.max_steps if cfg.module.decay else 0,
        cfg.module.keep_best,
    )
    return module, TacticDataModule(train, val, cfg.module.batch_size, cfg.seed)


def _needs(needs: Needs) -> None:
    add_dataset(needs)
    add_retrieval(needs)
    if needs.cfg.policy.experiment is not None or needs.cfg.policy.checkpoint is not None:
        add_policy(needs)


def _check(cfg: DictConfig) -> None:
    refuse_lent_premises(cfg)
    check_training(cfg)


TASK = Task(
    name="train_sft",
    run=partial(train, build),
    reads=lambda cfg: learning()(cfg) | retrieval_reads(cfg),
    needs=_needs,
    check=_check,
    distributed=True,
    weights="policy",
)
