"""The base class of factories of pretrained models: adapters, checkpoints, a check of the loaded model."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from ntp.errors import CheckpointError
from ntp.models.backbone import Quantization, load_config, load_tokenizer
from ntp.models.lora import LoraSettings, add_lora, load_lora
from ntp.policy.decoder import Precision
from ntp.policy.policy import DESCRIPTION_FILE, TacticPolicy, describe
from ntp.policy.probe import require_faithful


@dataclass(frozen=True)
class PretrainedFactory(ABC):
    """A Hugging Face language model, fine-tuned with adapters or in full.

    Attributes:
        name_or_path: Hub name or local directory.
        adapter: Fields of `LoraSettings`; None trains all weights.
        template: Prompt text with one `{state}`.
        max_state_tokens: Longer states lose hypotheses from the start.
        max_tactic_tokens: Maximum length of a tactic.
        top_p: Nucleus of the sampling distribution.
        precision: `fp32` runs the model in its own type, `bf16` under autocast.
        dtype: Type of the weights.
        quantization: `none`, `4bit` or `8bit`.
        gradient_checkpointing: Trade compute for memory in training.
        seed: Seed of the initial adapter weights.
    """

    name_or_path: str
    adapter: Mapping[str, Any] | None = None
    template: str = "{state}"
    max_state_tokens: int = 1024
    max_tactic_tokens: int = 128
    top_p: float = 1.0
    precision: Precision = "fp32"
    dtype: str = "auto"
    quantization: Quantization = "none"
    gradient_checkpointing: bool = False
    seed: int = 0

    def create(self, texts: Iterable[str] = ()) -> TacticPolicy:  # noqa: ARG002
        """The pretrained model, with new adapters if configured; `texts` are not used.

        Raises:
            CheckpointError: The model cannot be loaded, or does not support what policies need.
        """
        model, lora = self._load_model(self.name_or_path), self._lora
        if lora is None:
            return self._wrap(model)
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            return self._wrap(add_lora(model, lora))

    def load(self, directory: str | Path) -> TacticPolicy:
        """Load what `TacticPolicy.save` wrote, or a model saved by transformers.

        Raises:
            CheckpointError: The directory contains no policy, or one of another base model or kind.
        """
        directory = Path(directory).absolute()
        if not (directory / DESCRIPTION_FILE).is_file() and (directory / "config.json").is_file():
            return replace(self, name_or_path=str(directory)).create()
        saved = read_description(directory)
        lora = self._lora
        base, rank = (None, None) if lora is None else (self.name_or_path, lora.r)
        asked = describe(load_config(self.name_or_path), load_tokenizer(self.name_or_path), base, rank)
        require_same(saved, asked, directory)
        if lora is None:
            return self._wrap(self._load_model(directory))
        return self._wrap(load_lora(self._load_model(self.name_or_path), directory))

    @abstractmethod
    def _load_model(self, source: str | Path) -> PreTrainedModel: ...

    @abstractmethod
    def _make_policy(self, model: PreTrainedModel | PeftModel) -> TacticPolicy: ...

    @property
    def _lora(self) -> LoraSettings | None:
        return None if self.adapter is None else LoraSettings(**self.adapter)

    def _wrap(self, model: PreTrainedModel | PeftModel) -> TacticPolicy:
        policy = self._make_policy(model)
        require_faithful(policy)
        return policy.train()


def read_description(directory: Path) -> dict[str, Any]:
    """Read the description that `TacticPolicy.save` wrote.

    Raises:
        CheckpointError: It is missing or cannot be read.
    """
    path = directory / DESCRIPTION_FILE
    try:
        return json.loads(path.read_text())
    except FileNotFoundError as error:
        raise CheckpointError(f"no policy in {directory}: {DESCRIPTION_FILE} is missing") from error
    except ValueError as error:
        raise CheckpointError(f"{path} is not valid JSON: {error}") from error


def require_same(saved: Mapping[str, Any], asked: Mapping[str, Any], directory: Path) -> None:
    """Check that a saved policy matches a configuration.

    Raises:
        CheckpointError: It does not.
    """
    differing = [key for key in asked if saved.get(key) != asked[key]]
    if differing:
        there = ", ".join(f"{key}={saved.get(key)}" for key in differing)
        here = ", ".join(f"{key}={asked[key]}" for key in differing)
        raise CheckpointError(
            f"{directory} contains another model: it has {there}; the configuration asks for {here}"
        )
