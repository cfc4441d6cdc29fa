"""Schemas of modules, losses and how they are trained."""

# ruff: noqa: D101 - a schema is documented by the class it is the schema of, or by its YAML
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING


@dataclass
class AdapterConfig:
    r: int = 16
    alpha: int = 32
    dropout: float = 0.0
    target_modules: Any = "all-linear"


@dataclass
class OptimizerConfig:
    _target_: str = "torch.optim.AdamW"
    _partial_: bool = True
    lr: float = MISSING
    weight_decay: float = 0.0
    betas: list[float] = field(default_factory=lambda: [0.9, 0.95])


@dataclass
class TrainerConfig:
    _target_: str = "lightning.Trainer"
    accelerator: str = "auto"
    devices: Any = 1
    num_nodes: int = 1
    strategy: str = "auto"
    precision: Any = "32-true"
    max_steps: int = MISSING
    max_time: str | None = None
    gradient_clip_val: float | None = 1.0
    accumulate_grad_batches: int = 1
    log_every_n_steps: int = 10
    val_check_interval: int | None = None
    limit_val_batches: Any = None
    num_sanity_val_steps: int = 0
    enable_model_summary: bool = False


@dataclass
class SFTModuleConfig:
    name: str = "sft"
    batch_size: int = 32
    prompt_weight: float = 0.0
    warmup_steps: int = 100
    decay: bool = True
    max_state_chars: int | None = None
    max_tactic_chars: int | None = None


@dataclass
class GFNModuleConfig:
    name: str = "gfn"
    side: str = "train"
    num_on_policy: int = 6
    num_tempered: int = 0
    temperature_min: float = 0.8
    temperature_max: float = 1.4
    num_replay: int = 2
    replay_capacity: int = 32
    max_depth: int = 5
    max_proof_steps: int = 5
    keep_unsolved: float = 0.25
    log_z_lr: float = 0.1
    warmup_steps: int = 0
    human_proofs: bool = False
    seed: int = "${seed}"  # pyright: ignore[reportAssignmentType]


@dataclass
class VerifierModuleConfig:
    name: str = "verifier"
    num_heads: int = 8
    r: int = 8
    alpha: int = 16
    target_modules: Any = "all-linear"
    batch_size: int = 16
    bootstrap: bool = True
    clip_norm: float = 1.0
    diversity: float = 0.0
    features: str = "joint"
    length_exponent: float = 0.0
    warmup_steps: int = 50
    seed: int = "${seed}"  # pyright: ignore[reportAssignmentType]


@dataclass
class LossConfig:
    _target_: str = MISSING
    regression: str = "square"


@dataclass
class ExpertIterationConfig:
    _target_: str = "ntp.losses.expert_iteration.ExpertIteration"


@dataclass
class DirectPreferenceConfig:
    _target_: str = "ntp.losses.preference.DirectPreference"
    beta: float = 0.1


@dataclass
class LabelCrossEntropyConfig:
    _target_: str = "ntp.losses.preference.LabelCrossEntropy"
    beta: float = 0.1


@dataclass
class CorrectLikelihoodConfig:
    _target_: str = "ntp.losses.preference.CorrectLikelihood"


SCHEMAS: dict[tuple[str, str], type] = {
    ("adapter", "schema_lora"): AdapterConfig,
    ("optimizer", "schema"): OptimizerConfig,
    ("trainer", "schema"): TrainerConfig,
    ("module", "schema_sft"): SFTModuleConfig,
    ("module", "schema_gfn"): GFNModuleConfig,
    ("module", "schema_verifier"): VerifierModuleConfig,
    ("loss", "schema"): LossConfig,
    ("loss", "schema_expert_iteration"): ExpertIterationConfig,
    ("loss", "schema_dpo"): DirectPreferenceConfig,
    ("loss", "schema_label_cross_entropy"): LabelCrossEntropyConfig,
    ("loss", "schema_correct_likelihood"): CorrectLikelihoodConfig,
}
