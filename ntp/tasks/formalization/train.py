"""Supervised fine-tuning on pairs: the formal statement, given the question of the template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import lightning
from hydra.utils import instantiate
from omegaconf import DictConfig

from ntp.data.examples import TacticPair, unique_pairs
from ntp.errors import DataError
from ntp.formalization.prompts import Template
from ntp.formalization.records import TRAIN, VALID, Pair
from ntp.modules.sft import SFTModule
from ntp.modules.supervised_data import TacticDataModule
from ntp.tasks.formalization.options import add_pairs, check_prompts, pairs_in, part, require_pairs
from ntp.tasks.train import check_training, train
from ntp.workflow.stage import read
from ntp.workflow.task import Task


def build(
    cfg: DictConfig, _dataset: None, inputs: Mapping[str, Path]
) -> tuple[SFTModule, lightning.LightningDataModule]:
    """A fresh policy, or a pretrained one, to be trained on the training part.

    Raises:
        DataError: There is no pair to train on.
    """
    pairs, template = pairs_in(inputs["pairs"]), Template(cfg.formalization.template)
    options = cfg.module
    train_pairs = [
        pair
        for pair in _examples(part(pairs, TRAIN, "training"), template)
        if (options.max_state_chars is None or len(pair.state) <= options.max_state_chars)
        and (options.max_tactic_chars is None or len(pair.tactic) <= options.max_tactic_chars)
    ]
    if not train_pairs:
        raise DataError("every training pair is too long: raise module.max_state_chars or max_tactic_chars")
    val_pairs = _examples([pair for pair in pairs if pair.split == VALID], template)
    policy = instantiate(cfg.model).create(text for pair in train_pairs for text in (pair.state, pair.tactic))
    module = SFTModule(
        policy,
        instantiate(cfg.optimizer),
        options.prompt_weight,
        options.warmup_steps,
        cfg.trainer.max_steps if options.decay else 0,
        options.keep_best and bool(val_pairs),
    )
    return module, TacticDataModule(train_pairs, val_pairs, options.batch_size, cfg.seed)


def _examples(pairs: Sequence[Pair], template: Template) -> list[TacticPair]:
    return unique_pairs(TacticPair(template.question(pair), pair.formal) for pair in pairs)


def _check(cfg: DictConfig) -> None:
    require_pairs(cfg)
    check_prompts(cfg)
    check_training(cfg)


TASK = Task(
    name="train_formalization",
    run=partial(train, build),
    reads=lambda cfg: read(cfg, "seed", "model", "module", "optimizer", "trainer", "formalization.template"),
    needs=add_pairs,
    check=_check,
    distributed=True,
    weights="policy",
)
