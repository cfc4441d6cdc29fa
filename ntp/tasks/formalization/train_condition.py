"""Train a language model on the texts of a data condition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import lightning
from hydra.utils import instantiate
from omegaconf import DictConfig

from ntp.bounds import NonNegativeInt, PositiveInt
from ntp.errors import ConfigError
from ntp.formalization.alignment.conditions import compose
from ntp.formalization.alignment.sources.documents import Document
from ntp.jsonl import write_jsonl
from ntp.modules.chat import Encoded
from ntp.modules.completions import CompletionModule
from ntp.modules.packing import alone
from ntp.modules.supervised_data import PackedDataModule
from ntp.policy.causal import CausalPolicy
from ntp.seeding import derive_seed
from ntp.tasks.formalization.alignment_options import (
    CHOSEN_FILE,
    PROBE,
    add_texts,
    condition_of,
    load_sources,
    tokenizer_texts,
)
from ntp.tasks.train import check_training, train
from ntp.workflow.context import Context
from ntp.workflow.stage import read
from ntp.workflow.task import Task


@dataclass(frozen=True)
class ConditionOptions:
    """Training on a data condition. Its token budget is `trainer.max_steps * batch_size * block_tokens`.

    Attributes:
        batch_size: Blocks in a batch.
        block_tokens: Tokens of a block.
        warmup_steps: Optimizer steps of linear warm-up.
        decay: Whether the learning rate falls to a tenth by a cosine over `trainer.max_steps`.
    """

    batch_size: PositiveInt = 2
    block_tokens: PositiveInt = 256
    warmup_steps: NonNegativeInt = 20
    decay: bool = True


def run(context: Context) -> dict[str, float]:
    """Train, and write the texts that were chosen."""
    facts: dict[str, float] = {}
    summary = train(partial(_build, context.directory, facts), context)
    return {**summary, **facts}


def _build(
    directory: Path, facts: dict[str, float], cfg: DictConfig, _dataset: None, inputs: Mapping[str, Path]
) -> tuple[CompletionModule, lightning.LightningDataModule]:
    """A fresh policy, to be trained on the texts of the condition, which are the same for every seed.

    Raises:
        ConfigError: The model is no causal language model.
    """
    options = cfg.module
    sources, _, _ = load_sources(inputs["texts"])
    policy = instantiate(cfg.model).create(tokenizer_texts(sources))
    if not isinstance(policy, CausalPolicy):
        raise ConfigError("data conditions train causal language models: choose another model")
    num_blocks = cfg.trainer.max_steps * options.batch_size
    name = cfg.alignment.condition
    composed = compose(
        condition_of(cfg), sources, policy.tokenizer, num_blocks, options.block_tokens, derive_seed(name)
    )
    chosen = [Document(text, source) for source, texts in composed.texts.items() for text in texts]
    write_jsonl(directory / CHOSEN_FILE, chosen)
    facts |= {
        "num_tokens": num_blocks * options.block_tokens,
        "num_distinct_tokens": composed.num_distinct_tokens,
        "num_texts": len(chosen),
    }
    blocks = [alone(Encoded(ids, ids), options.block_tokens) for ids in composed.blocks]
    module = CompletionModule(
        policy,
        instantiate(cfg.optimizer),
        options.warmup_steps,
        cfg.trainer.max_steps if options.decay else 0,
        keep_best=False,
    )
    return module, PackedDataModule(blocks, [], options.batch_size, cfg.seed)


def _check(cfg: DictConfig) -> None:
    condition_of(cfg)
    check_training(cfg)
    if cfg.trainer.max_steps < 1:
        raise ConfigError("trainer.max_steps is the token budget in steps: give a number of at least 1")


def _reads(cfg: DictConfig) -> dict[str, object]:
    condition = condition_of(cfg)
    values = read(cfg, "seed", "model", "module", "optimizer", "trainer", "alignment.condition")
    shares = {} if cfg.alignment.condition == PROBE else {"texts": dict(condition.texts)}
    return {**values, **shares, "distinct": condition.distinct}


TASK = Task(
    name="train_condition",
    run=run,
    reads=_reads,
    needs=add_texts,
    check=_check,
    distributed=True,
    weights="policy",
)
