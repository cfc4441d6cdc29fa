"""Builds and loads policies from configuration."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from ntp.errors import CheckpointError
from ntp.models.backbone import build_tiny_llama, load_causal_lm
from ntp.models.tokenizer import MARKER, train_tokenizer
from ntp.policy.decoder import Precision
from ntp.policy.policy import DESCRIPTION_FILE, TacticPolicy
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
        return self._build(train_tokenizer(texts, self.vocab_size))

    def load(self, directory: str | Path) -> TacticPolicy:
        """Load what `TacticPolicy.save` wrote.

        Raises:
            CheckpointError: The directory holds no policy, or one of other sizes.
        """
        directory = Path(directory)
        saved = _read_description(directory)
        policy = self._build(AutoTokenizer.from_pretrained(directory))
        _require_same(saved, policy, directory)
        weights = load_causal_lm(directory.absolute(), dtype="float32").state_dict()
        policy.model.load_state_dict(weights)
        return policy

    def _build(self, tokenizer: PreTrainedTokenizerBase) -> TacticPolicy:
        pad_id, stop_id = tokenizer.pad_token_id, tokenizer.eos_token_id
        assert isinstance(pad_id, int) and isinstance(stop_id, int)
        prompt = PromptFormat("{state}", MARKER, self.max_state_tokens)
        model = build_tiny_llama(
            vocab_size=len(tokenizer),
            pad_token_id=pad_id,
            eos_token_id=stop_id,
            hidden_size=self.hidden_size,
            num_layers=self.num_layers,
            num_heads=self.num_heads,
            intermediate_size=self.intermediate_size,
            max_positions=self.max_state_tokens + 1 + self.max_tactic_tokens,
            seed=self.seed,
        )
        return TacticPolicy(model, tokenizer, prompt, self.max_tactic_tokens, self.top_p, self.precision)


def _read_description(directory: Path) -> dict[str, Any]:
    path = directory / DESCRIPTION_FILE
    try:
        return json.loads(path.read_text())
    except FileNotFoundError as error:
        raise CheckpointError(f"no policy in {directory}: {DESCRIPTION_FILE} is missing") from error
    except ValueError as error:
        raise CheckpointError(f"{path} is not valid JSON: {error}") from error


def _require_same(saved: Mapping[str, Any], policy: TacticPolicy, directory: Path) -> None:
    asked = policy.describe()
    flat_saved, flat_asked = _flatten(saved), _flatten(asked)
    differing = [key for key in flat_asked if flat_saved.get(key) != flat_asked[key]]
    if differing:
        there = ", ".join(f"{key}={flat_saved.get(key)}" for key in differing)
        here = ", ".join(f"{key}={flat_asked[key]}" for key in differing)
        raise CheckpointError(f"{directory} holds another model: it has {there}, this configuration {here}")


def _flatten(description: Mapping[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in description.items() if key != "architecture"}
    return {**description.get("architecture", {}), **rest}
