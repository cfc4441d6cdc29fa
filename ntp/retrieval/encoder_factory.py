"""Builds dual encoders from configuration."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from transformers import T5Config, T5EncoderModel

from ntp.bounds import NonNegativeInt, PositiveInt, Share
from ntp.errors import ConfigError
from ntp.models.backbone import load_text_encoder, load_tokenizer
from ntp.models.tokenizer import train_word_tokenizer
from ntp.retrieval.dual_encoder import DualEncoder


@dataclass(frozen=True)
class TinyEncoderFactory:
    """A T5 encoder trained from scratch, the architecture of ReProver's, with its own tokenizer.

    Attributes:
        vocab_size: Maximum size of the vocabulary.
        hidden_size: Width.
        num_layers: Depth. At 0 a text is the mean of its tokens' vectors, thirty times cheaper on a CPU.
        num_heads: Attention heads.
        intermediate_size: Width of the feed-forward layers.
        dropout: Share of activations dropped in training.
        max_state_tokens: Longer states are truncated at the start.
        max_premise_tokens: Longer premises are truncated at the end.
        seed: Seed of the initial weights.
    """

    vocab_size: PositiveInt = 8192
    hidden_size: PositiveInt = 256
    num_layers: NonNegativeInt = 0
    num_heads: PositiveInt = 4
    intermediate_size: PositiveInt = 256
    dropout: Share = 0.1
    max_state_tokens: PositiveInt = 128
    max_premise_tokens: PositiveInt = 64
    seed: NonNegativeInt = 0

    def create(self, texts: Iterable[str]) -> DualEncoder:
        """An encoder with random weights, its tokenizer trained on `texts` (states and premises).

        Raises:
            ConfigError: `hidden_size` is no multiple of `num_heads`, or the vocabulary is too small.
        """
        if self.hidden_size % self.num_heads:
            raise ConfigError(f"hidden_size={self.hidden_size} is no multiple of num_heads={self.num_heads}")
        tokenizer = train_word_tokenizer(texts, self.vocab_size)
        config = T5Config(
            vocab_size=len(tokenizer),
            d_model=self.hidden_size,
            d_kv=self.hidden_size // self.num_heads,
            d_ff=self.intermediate_size,
            num_layers=self.num_layers,
            num_heads=self.num_heads,
            dropout_rate=self.dropout,
            feed_forward_proj="gated-gelu",
            pad_token_id=tokenizer.pad_token_id,  # pyright: ignore[reportArgumentType]
            is_encoder_decoder=False,
            use_cache=False,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            model = T5EncoderModel(config)
        return DualEncoder(model, tokenizer, self.max_state_tokens, self.max_premise_tokens)


@dataclass(frozen=True)
class PretrainedEncoderFactory:
    """Any Hugging Face text encoder, fine-tuned as a whole.

    Attributes:
        name_or_path: Hub name or local directory.
        max_state_tokens: Longer states are truncated at the start.
        max_premise_tokens: Longer premises are truncated at the end.
    """

    name_or_path: str
    max_state_tokens: PositiveInt = 1024
    max_premise_tokens: PositiveInt = 1024

    def create(self, texts: Iterable[str] = ()) -> DualEncoder:  # noqa: ARG002
        """The pretrained encoder; `texts` are not used.

        Raises:
            CheckpointError: It cannot be loaded.
        """
        model, tokenizer = load_text_encoder(self.name_or_path), load_tokenizer(self.name_or_path)
        return DualEncoder(model, tokenizer, self.max_state_tokens, self.max_premise_tokens)
