"""Where policies and verifiers come from."""

# ruff: noqa: D101 - a schema is documented by the class it is the schema of, or by its YAML
from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class PolicyConfig:
    checkpoint: str | None = None
    experiment: str | None = None


@dataclass
class VerifierSourceConfig:
    """Where an ensemble of verifiers comes from; `backbone` is the policy that it sits on."""

    checkpoint: str | None = None
    experiment: str | None = "verifier_dpo"
    overrides: list[str] = field(default_factory=list)
    backbone: PolicyConfig = field(default_factory=lambda: PolicyConfig(experiment="sft"))
