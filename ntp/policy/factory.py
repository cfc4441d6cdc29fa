"""Builds and loads policies from configuration."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import LlamaConfig, PreTrainedModel, PreTrainedTokenizerBase

from ntp.errors import CheckpointError
from ntp.models.backbone import (
    Quantization,
    build_tiny_llama,
    load_causal_lm,
    load_config,
    load_tokenizer,
    tiny_llama_config,
)
from ntp.models.lora import LoraSettings, add_lora, load_lora
from ntp.models.tokenizer import MARKER, train_tokenizer
from ntp.policy.decoder import Precision
from ntp.policy.policy import DESCRIPTION_FILE, TacticPolicy, describe
from ntp.policy.probe import require_tree_attention
from ntp.policy.prompt import PromptFormat


@dataclass(frozen=True)
class TinyPolicyFactory:
    """A Llama trained from scratch, with a tokenizer of its own.

    Attributes:
        vocab_size: Most tokens.
        hidden_size: Width.
        num_layers: Depth.
        num_heads: Attention heads.
        intermediate_size: Width of the feed-forward layers.
        max_state_tokens: Longer states lose hypotheses from the start.
        max_tactic_tokens: Longest tactic.
        top_p: Nucleus of the sampling distribution.
        precision: `fp32` or `bf16`.
        seed: Of the initial weights.
    """

    vocab_size: int = 2048
    hidden_size: int = 256
    num_layers: int = 4
    num_heads: int = 4
    intermediate_size: int = 688
    max_state_tokens: int = 384
    max_tactic_tokens: int = 48
    top_p: float = 1.0
    precision: Precision = "fp32"
    seed: int = 0

    def create(self, texts: Iterable[str]) -> TacticPolicy:
        """A policy with random weights, its tokenizer trained on `texts` (states and tactics)."""
        tokenizer = train_tokenizer(texts, self.vocab_size)
        return self._wrap(build_tiny_llama(self._config(tokenizer), self.seed), tokenizer)

    def load(self, directory: str | Path) -> TacticPolicy:
        """Load what `TacticPolicy.save` wrote.

        Raises:
            CheckpointError: The directory holds no policy, or one of other sizes.
        """
        directory = Path(directory).absolute()
        saved = _read_description(directory)
        tokenizer = load_tokenizer(directory)
        config = self._config(tokenizer)
        _require_same(saved, describe(config, tokenizer, base=None, lora_rank=None), directory)
        model = build_tiny_llama(config, self.seed)
        # Copied, since weights mapped from a file are not aligned and round differently.
        model.load_state_dict(load_causal_lm(directory, dtype="float32").state_dict())
        return self._wrap(model, tokenizer)

    def _config(self, tokenizer: PreTrainedTokenizerBase) -> LlamaConfig:
        return tiny_llama_config(
            tokenizer,
            hidden_size=self.hidden_size,
            num_layers=self.num_layers,
            num_heads=self.num_heads,
            intermediate_size=self.intermediate_size,
            max_positions=self.max_state_tokens + 1 + self.max_tactic_tokens,
        )

    def _wrap(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> TacticPolicy:
        # On a CPU, fused attention is the faster one in float32 but two to three times slower in bfloat16.
        model.set_attn_implementation("eager" if self.precision == "bf16" else "sdpa")
        prompt = PromptFormat("{state}", MARKER, self.max_state_tokens)
        return TacticPolicy(
            model, tokenizer, prompt, self.max_tactic_tokens, self.top_p, self.precision
        ).train()


@dataclass(frozen=True)
class PretrainedPolicyFactory:
    """Any Hugging Face causal language model, fine-tuned through adapters or as a whole.

    Attributes:
        name_or_path: Hub name or local directory.
        adapter: Fields of `LoraSettings`; None trains all weights.
        template: Prompt text with one `{state}`.
        max_state_tokens: Longer states lose hypotheses from the start.
        max_tactic_tokens: Longest tactic.
        top_p: Nucleus of the sampling distribution.
        precision: `fp32` runs the model in its own type, `bf16` under autocast.
        dtype: Of the weights: `auto`, `float32`, `bfloat16` or `float16`.
        attn_implementation: `sdpa` or `eager`.
        quantization: `none`, `4bit` or `8bit`.
        gradient_checkpointing: Trade compute for memory in training.
        seed: Of the initial adapter weights.
    """

    name_or_path: str
    adapter: Mapping[str, Any] | None = None
    template: str = "[GOAL]{state}[PROOFSTEP]"
    max_state_tokens: int = 768
    max_tactic_tokens: int = 128
    top_p: float = 1.0
    precision: Precision = "fp32"
    dtype: str = "auto"
    attn_implementation: str = "sdpa"
    quantization: Quantization = "none"
    gradient_checkpointing: bool = False
    seed: int = 0

    def create(self, texts: Iterable[str] = ()) -> TacticPolicy:  # noqa: ARG002
        """The pretrained model, with fresh adapters if any; `texts` are not needed.

        Raises:
            CheckpointError: The model cannot be loaded, or its attention cannot take tree masks.
        """
        model, lora = self._load_model(self.name_or_path), self._lora
        if lora is None:
            return self._wrap(model)
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            return self._wrap(add_lora(model, lora))

    def load(self, directory: str | Path) -> TacticPolicy:
        """Load what `TacticPolicy.save` wrote.

        Raises:
            CheckpointError: The directory holds no policy, or one of another base model or kind.
        """
        directory = Path(directory).absolute()
        saved = _read_description(directory)
        lora = self._lora
        base, rank = (None, None) if lora is None else (self.name_or_path, lora.r)
        asked = describe(load_config(self.name_or_path), load_tokenizer(self.name_or_path), base, rank)
        _require_same(saved, asked, directory)
        if lora is None:
            return self._wrap(self._load_model(directory))
        return self._wrap(load_lora(self._load_model(self.name_or_path), directory))

    @property
    def _lora(self) -> LoraSettings | None:
        return None if self.adapter is None else LoraSettings(**self.adapter)

    def _load_model(self, source: str | Path) -> PreTrainedModel:
        return load_causal_lm(
            source, self.dtype, self.attn_implementation, self.quantization, self.gradient_checkpointing
        )

    def _wrap(self, model: PreTrainedModel | PeftModel) -> TacticPolicy:
        tokenizer = load_tokenizer(self.name_or_path)
        prompt = PromptFormat(self.template, None, self.max_state_tokens)
        policy = TacticPolicy(model, tokenizer, prompt, self.max_tactic_tokens, self.top_p, self.precision)
        require_tree_attention(policy)
        return policy.train()


def _read_description(directory: Path) -> dict[str, Any]:
    path = directory / DESCRIPTION_FILE
    try:
        return json.loads(path.read_text())
    except FileNotFoundError as error:
        raise CheckpointError(f"no policy in {directory}: {DESCRIPTION_FILE} is missing") from error
    except ValueError as error:
        raise CheckpointError(f"{path} is not valid JSON: {error}") from error


def _require_same(saved: Mapping[str, Any], asked: Mapping[str, Any], directory: Path) -> None:
    differing = [key for key in asked if saved.get(key) != asked[key]]
    if differing:
        there = ", ".join(f"{key}={saved.get(key)}" for key in differing)
        here = ", ".join(f"{key}={asked[key]}" for key in differing)
        raise CheckpointError(
            f"{directory} holds another model: it has {there}; the configuration asks for {here}"
        )
