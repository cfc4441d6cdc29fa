"""Schemas of what is learned from and searched."""

# ruff: noqa: D101 - a schema is documented by the class it is the schema of, or by its YAML
from __future__ import annotations

from dataclasses import dataclass, field

from omegaconf import MISSING


@dataclass
class SplitConfig:
    kind: str = "random"
    seed: int = 0
    val_fraction: float = 0.05
    test_fraction: float = 0.1
    test_files: list[str] = field(default_factory=list)
    verifier_fraction: float = 0.0


@dataclass
class DataConfig:
    include: list[str] = MISSING
    exclude: list[str] = field(default_factory=list)
    split: SplitConfig = field(default_factory=SplitConfig)
    num_extract_workers: int = 2
    source: str = "coq"


@dataclass
class LeanDojoDataConfig:
    """A LeanDojo Benchmark: `path` is its folder."""

    path: str = MISSING
    split: SplitConfig = field(default_factory=SplitConfig)
    source: str = "leandojo"


@dataclass
class StatementsDataConfig:
    """Statements without proofs: `path` is a file, `header` stands before those that bring none."""

    path: str = MISSING
    header: str = ""
    split: SplitConfig = field(default_factory=lambda: SplitConfig(kind="given"))
    source: str = "statements"


SCHEMAS: dict[tuple[str, str], type] = {
    ("data", "schema"): DataConfig,
    ("data", "schema_leandojo"): LeanDojoDataConfig,
    ("data", "schema_statements"): StatementsDataConfig,
}
