"""Supervised fine-tuning on files of instruction or chat data."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import lightning
from hydra.utils import instantiate
from omegaconf import MISSING, DictConfig, OmegaConf
from transformers import PreTrainedTokenizerBase

from ntp.bounds import NonNegativeInt, PositiveInt
from ntp.data.conversations import Completion, Example, read_examples
from ntp.errors import ConfigError, DataError
from ntp.modules.chat import Encoded, encode
from ntp.modules.completions import CompletionModule
from ntp.modules.packing import Packed, alone, efficiency, pack
from ntp.modules.supervised_data import PackedDataModule
from ntp.policy.causal import CausalPolicy
from ntp.policy.generators.templates import CHATML
from ntp.tasks.needs import LEARNING
from ntp.tasks.train import check_training, train
from ntp.workflow.digest import path_digest
from ntp.workflow.stage import read
from ntp.workflow.task import Task

_log = logging.getLogger(__name__)
CHATML_NAME = "chatml"


@dataclass(frozen=True)
class ChatDataOptions:
    """Files of instruction or chat data, as `+experiment=instructions` writes them.

    Attributes:
        path: Training examples: a file or several.
        val_path: Validation examples; null for none.
        source: Where data comes from.
    """

    path: Any = MISSING
    val_path: str | None = None
    source: str = "chat"


@dataclass(frozen=True)
class ChatSFTOptions:
    """Supervised fine-tuning on instruction or chat data.

    Attributes:
        batch_size: Sequences in a batch.
        max_tokens: Most tokens of a sequence; longer examples are cut.
        packing: Whether several examples share a sequence, without attention between them.
        chat_template: A file with a Jinja template, or `chatml`; null for the tokenizer's own.
        warmup_steps: Optimizer steps of linear warm-up.
        decay: Whether the learning rate falls to a tenth by a cosine over `trainer.max_steps`.
        keep_best: Whether to save the weights with the least loss on validation data (`val/nll`) instead of
            the last ones.
    """

    batch_size: PositiveInt = 8
    max_tokens: PositiveInt = 4096
    packing: bool = True
    chat_template: str | None = None
    warmup_steps: NonNegativeInt = 100
    decay: bool = True
    keep_best: bool = True


def build(
    cfg: DictConfig, _dataset: None, _inputs: Mapping[str, Path]
) -> tuple[CompletionModule, lightning.LightningDataModule]:
    """A fresh policy, to be trained on the files.

    Raises:
        ConfigError: The policy is no causal language model, or has no chat template.
        DataError: A file cannot be read, or there is nothing to learn from.
    """
    options = cfg.module
    examples = [example for path in _paths(cfg) for example in read_examples(path)]
    val = list(read_examples(Path(cfg.data.val_path))) if cfg.data.val_path else []
    policy = instantiate(cfg.model).create(text for example in examples for text in _texts(example))
    if not isinstance(policy, CausalPolicy):
        raise ConfigError("chat data trains causal language models: choose another model")
    template = _template(options.chat_template)
    tokenizer = policy.tokenizer
    if template is not None:
        # Saved with the policy, so that it is asked later in the words it was trained on.
        tokenizer.chat_template = template
    train_packed = _sequences(examples, tokenizer, template, options.max_tokens, options.packing)
    val_packed = _sequences(val, tokenizer, template, options.max_tokens, packing=False) if val else []
    _log.info(
        "%d examples in %d sequences, %.1f %% of whose %d tokens are used",
        len(examples),
        len(train_packed),
        100 * efficiency(train_packed, options.max_tokens),
        options.max_tokens,
    )
    module = CompletionModule(
        policy,
        instantiate(cfg.optimizer),
        options.warmup_steps,
        cfg.trainer.max_steps if options.decay else 0,
        options.keep_best and bool(val),
    )
    return module, PackedDataModule(train_packed, val_packed, options.batch_size, cfg.seed)


def _sequences(
    examples: Sequence[Example],
    tokenizer: PreTrainedTokenizerBase,
    template: str | None,
    max_tokens: int,
    packing: bool,
) -> list[Packed]:
    encoded = [encode(example, tokenizer, template) for example in examples]
    kept = [example for example in encoded if _cut(example, max_tokens).num_learned]
    if len(kept) < len(encoded):
        _log.warning(
            "%d of %d examples are left out: none of their first %d tokens is learned",
            len(encoded) - len(kept),
            len(encoded),
            max_tokens,
        )
    if not kept:
        raise DataError(
            f"no example has a learned token among its first {max_tokens}: raise module.max_tokens"
        )
    return pack(kept, max_tokens) if packing else [alone(example, max_tokens) for example in kept]


def _cut(example: Encoded, max_tokens: int) -> Encoded:
    return Encoded(example.ids[:max_tokens], example.labels[:max_tokens])


def _texts(example: Example) -> list[str]:
    if isinstance(example, Completion):
        return [example.prompt, example.completion]
    return [message.content for message in example.messages]


def _template(name: str | None) -> str | None:
    if name is None or name == CHATML_NAME:
        return CHATML if name else None
    try:
        return Path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"module.chat_template={name}: cannot be read ({error.strerror})") from None


def _paths(cfg: DictConfig) -> list[Path]:
    if OmegaConf.is_missing(cfg.data, "path"):
        raise ConfigError("data.path is missing: say where the data is, data.path=FILE")
    given = cfg.data.path
    return [Path(given)] if isinstance(given, str) else [Path(path) for path in given]


def _reads(cfg: DictConfig) -> dict[str, Any]:
    values = read(cfg, *(path for path in LEARNING if path != "data.split"))
    paths = [*_paths(cfg), *([Path(cfg.data.val_path)] if cfg.data.val_path else [])]
    return {**values, "data": [path_digest(path) for path in paths]}


def _check(cfg: DictConfig) -> None:
    if cfg.data.source != "chat":
        raise ConfigError("give data=chat data.path=FILE, instruction or chat data")
    for path in (*_paths(cfg), *([Path(cfg.data.val_path)] if cfg.data.val_path else [])):
        if not path.is_file():
            raise DataError(f"{path}: no such file")
    _template(cfg.module.chat_template)
    check_training(cfg)


TASK = Task(
    name="train_chat",
    run=partial(train, build),
    reads=_reads,
    check=_check,
    distributed=True,
    weights="policy",
)
