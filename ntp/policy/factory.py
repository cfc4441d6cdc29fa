"""Builds and loads policies from configuration."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from peft import PeftModel
from transformers import LlamaConfig, PreTrainedModel, PreTrainedTokenizerBase

from ntp.bounds import NonNegativeInt, PositiveInt, Share
from ntp.models.backbone import (
    build_tiny_llama,
    load_causal_lm,
    load_seq2seq_lm,
    load_tokenizer,
    tiny_llama_config,
)
from ntp.models.tokenizer import MARKER, train_tokenizer
from ntp.policy.causal import CausalPolicy
from ntp.policy.decoder import Precision
from ntp.policy.policy import TacticPolicy, describe
from ntp.policy.pretrained import PretrainedFactory, read_description, require_same
from ntp.policy.prompt import PromptFormat
from ntp.policy.seq2seq import Seq2SeqPolicy


@dataclass(frozen=True)
class TinyPolicyFactory:
    """A Llama trained from scratch, with its own tokenizer.

    Attributes:
        vocab_size: Maximum size of the vocabulary.
        hidden_size: Width.
        num_layers: Depth.
        num_heads: Attention heads.
        intermediate_size: Width of the feed-forward layers.
        max_state_tokens: Longer states lose hypotheses from the start.
        max_tactic_tokens: Maximum length of a tactic.
        top_p: Nucleus of the sampling distribution.
        precision: `fp32` or `bf16`.
        seed: Seed of the initial weights.
    """

    vocab_size: PositiveInt = 2048
    hidden_size: PositiveInt = 256
    num_layers: PositiveInt = 4
    num_heads: PositiveInt = 4
    intermediate_size: PositiveInt = 688
    max_state_tokens: PositiveInt = 256
    max_tactic_tokens: PositiveInt = 48
    top_p: Share = 1.0
    precision: Precision = "fp32"
    seed: NonNegativeInt = 0

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
        saved = read_description(directory)
        tokenizer = load_tokenizer(directory)
        config = self._config(tokenizer)
        require_same(saved, describe(config, tokenizer, base=None, lora_rank=None), directory)
        model = build_tiny_llama(config, self.seed)
        # Copied, since weights mapped from a file are not aligned, and sums then round differently.
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
        # On a CPU, fused attention is faster in float32 but two to three times slower in bfloat16.
        model.set_attn_implementation("eager" if self.precision == "bf16" else "sdpa")
        prompt = PromptFormat("{state}", MARKER, self.max_state_tokens)
        return CausalPolicy(
            model, tokenizer, prompt, self.max_tactic_tokens, self.top_p, self.precision
        ).train()


@dataclass(frozen=True)
class PretrainedPolicyFactory(PretrainedFactory):
    """Any Hugging Face causal language model; see `PretrainedFactory` for the common options.

    Attributes:
        attn_implementation: `sdpa` or `eager`.
        stop: Text of the token that ends a tactic; EOS if None. For a model that is prompted with examples
            rather than fine-tuned, this is a line break.
    """

    template: str = "[GOAL]{state}[PROOFSTEP]"
    max_tactic_tokens: PositiveInt = 96
    dtype: str = "bfloat16"
    gradient_checkpointing: bool = True
    attn_implementation: str = "sdpa"
    stop: str | None = None

    def _load_model(self, source: str | Path) -> PreTrainedModel:
        return load_causal_lm(
            source, self.dtype, self.attn_implementation, self.quantization, self.gradient_checkpointing
        )

    def _make_policy(self, model: PreTrainedModel | PeftModel) -> TacticPolicy:
        return CausalPolicy(
            model,
            load_tokenizer(self.name_or_path),
            PromptFormat(self.template, None, self.max_state_tokens),
            self.max_tactic_tokens,
            self.top_p,
            self.precision,
            self.stop,
        )


@dataclass(frozen=True)
class Seq2SeqPolicyFactory(PretrainedFactory):
    """Any Hugging Face encoder-decoder model; see `PretrainedFactory` for the common options.

    ReProver's tactic generators are of this kind: ByT5 reads up to 2,300 bytes, EOS included, of the state or
    of premises and state, and writes up to 512 (generation/confs/cli_lean4_random.yaml and
    generation/datamodule.py of lean-dojo/ReProver). They truncate longer states at the end; here they are
    truncated at the start, so that the goal is kept.

    Attributes:
        dropout: Dropout in training mode. Sampling has none, so with dropout above 0 scores in training mode
            differ from the sampler's.
    """

    dtype: str = "float32"
    dropout: Share = 0.0

    def _load_model(self, source: str | Path) -> PreTrainedModel:
        return load_seq2seq_lm(
            source, self.dtype, self.dropout, self.quantization, self.gradient_checkpointing
        )

    def _make_policy(self, model: PreTrainedModel | PeftModel) -> TacticPolicy:
        return Seq2SeqPolicy(
            model,
            load_tokenizer(self.name_or_path),
            PromptFormat(self.template, None, self.max_state_tokens),
            self.max_tactic_tokens,
            self.top_p,
            self.precision,
        )
