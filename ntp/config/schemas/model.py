"""Structured-config schemas of the group `model`."""

# ruff: noqa: D101 - a schema is documented by the class it is the schema of, or by its YAML
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING


@dataclass
class TinyModelConfig:
    _target_: str = "ntp.policy.factory.TinyPolicyFactory"
    vocab_size: int = 2048
    hidden_size: int = 256
    num_layers: int = 4
    num_heads: int = 4
    intermediate_size: int = 688
    max_state_tokens: int = 256
    max_tactic_tokens: int = 48
    top_p: float = 1.0
    precision: str = "fp32"
    seed: int = 0


@dataclass
class PretrainedModelConfig:
    _target_: str = "ntp.policy.factory.PretrainedPolicyFactory"
    name_or_path: str = MISSING
    template: str = MISSING
    adapter: Any = None
    quantization: str = "none"
    dtype: str = "bfloat16"
    gradient_checkpointing: bool = True
    max_state_tokens: int = 1024
    max_tactic_tokens: int = 96
    top_p: float = 1.0
    stop: str | None = None


@dataclass
class Seq2SeqModelConfig:
    _target_: str = "ntp.policy.factory.Seq2SeqPolicyFactory"
    name_or_path: str = MISSING
    template: str = "{state}"
    adapter: Any = None
    quantization: str = "none"
    dtype: str = "float32"
    precision: str = "fp32"
    dropout: float = 0.0
    gradient_checkpointing: bool = False
    max_state_tokens: int = 1024
    max_tactic_tokens: int = 128
    top_p: float = 1.0


SCHEMAS: dict[tuple[str, str], type] = {
    ("model", "schema_tiny"): TinyModelConfig,
    ("model", "schema_pretrained"): PretrainedModelConfig,
    ("model", "schema_seq2seq"): Seq2SeqModelConfig,
}
