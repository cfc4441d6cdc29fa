"""Schemas of searches and what they are used for."""

# ruff: noqa: D101 - a schema is documented by the class it is the schema of, or by its YAML
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from ntp.config.schemas.policy import PolicyConfig


@dataclass
class SamplingConfig:
    num_samples: int = 32
    max_depth: int = 8
    temperature: float = 1.0
    max_env_steps: int | None = None
    max_seconds: float | None = None


@dataclass
class BestFirstConfig:
    samples_per_expansion: int = 8
    max_expansions: int = 60
    expansion_price: float = 1.0
    length_exponent: float = 0.0
    max_depth: int = 16
    temperature: float = 1.0
    max_env_steps: int | None = None
    max_seconds: float | None = None


@dataclass
class SearchConfig:
    """The searches of an evaluation, and what best-first search believes in: policy, verifier or mixed."""

    score: str = "policy"
    verifier_weight: float = 1.0
    sampling: Any = MISSING
    best_first: Any = MISSING


@dataclass
class MiningConfig:
    """Which theorems are mined and how; `shard`, `num_shards` and `costs` as of an evaluation."""

    shard: str | None = None
    num_shards: int | None = None
    costs: str | None = None
    sides: list[str] = field(default_factory=lambda: ["train", "val"])
    num_theorems: dict[str, int] = field(
        default_factory=lambda: {"train": 300, "verifier": 300, "val": 120, "test": 800}
    )
    sampling: SamplingConfig = field(default_factory=lambda: SamplingConfig(num_samples=24, max_depth=6))
    best_first: BestFirstConfig = field(
        default_factory=lambda: BestFirstConfig(max_expansions=16, max_depth=8)
    )
    min_tries: int = 8
    max_per_label: int = 32
    max_pairs: int = 200


@dataclass
class EvaluationConfig:
    """What is asked of policies.

    `shard` is the one `i/n` to make, `num_shards` asks for all of them, merged; `costs` is the directory of
    an earlier run, whose times say how shards are made even.
    """

    shard: str | None = None
    num_shards: int | None = None
    costs: str | None = None
    split: str = "test"
    max_theorems: int | None = None
    one_shot_tactics: list[str] | None = None
    policies: dict[str, PolicyConfig] = field(default_factory=dict)
    baseline: str | None = None
    bootstrap_samples: int = 2000


SCHEMAS: dict[tuple[str, str], type] = {
    ("search", "schema_sampling"): SamplingConfig,
    ("search", "schema_best_first"): BestFirstConfig,
}
