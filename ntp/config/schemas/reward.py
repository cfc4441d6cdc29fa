"""Schemas of rewards, and of how verifiers become one."""

# ruff: noqa: D101 - a schema is documented by the class it is the schema of, or by its YAML
from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class MeanConfig:
    _target_: str = "ntp.rewards.aggregation.Mean"


@dataclass
class WorstCaseConfig:
    _target_: str = "ntp.rewards.aggregation.WorstCase"


@dataclass
class UncertaintyWeightedConfig:
    _target_: str = "ntp.rewards.aggregation.UncertaintyWeighted"
    variance_weight: float = 1.0


@dataclass
class KernelRewardConfig:
    _target_: str = "ntp.rewards.kernel.KernelReward"
    alpha_success: float = 0.5
    alpha_fail: float = 1.0
    log_reward_fail: float = -8.0
    temperature: Any = 1.0


@dataclass
class VerifierRewardConfig:
    _target_: str = "ntp.rewards.verifier.VerifierReward"
    aggregation: Any = "${aggregation}"
    alpha_success: float = 0.5
    gap: float = 8.0
    score_range: float = 6.0
    temperature: Any = 1.0
    max_failure_mass: float = 0.05
    success_floor: float = 0.01


@dataclass
class VerifierOnlyRewardConfig:
    _target_: str = "ntp.rewards.verifier.VerifierOnlyReward"
    aggregation: Any = "${aggregation}"
    score_range: float = 6.0
    temperature: Any = 1.0


SCHEMAS: dict[tuple[str, str], type] = {
    ("aggregation", "schema_mean"): MeanConfig,
    ("aggregation", "schema_wco"): WorstCaseConfig,
    ("aggregation", "schema_uwo"): UncertaintyWeightedConfig,
    ("reward", "schema_kernel"): KernelRewardConfig,
    ("reward", "schema_verifier_ensemble"): VerifierRewardConfig,
    ("reward", "schema_verifier_only"): VerifierOnlyRewardConfig,
}
