"""Structured-config schemas: one dataclass per variant of every group we own.

A key that is not declared here, or a value of the wrong type, fails when the config is composed, with the
group in the message. `_target_` names what is instantiated; live objects are passed at the call site.
"""

# ruff: noqa: D101 - a schema is documented by the class it is the schema of, or by its YAML
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from ntp.config.schemas_lean import LeanDojoEnvConfig, LeanReplEnvConfig
from ntp.config.schemas_model import MODEL_SCHEMAS
from ntp.config.schemas_retrieval import RETRIEVAL_SCHEMAS


@dataclass
class TaskConfig:
    name: str = MISSING


@dataclass
class PathsConfig:
    root: str = MISSING
    outputs: str = MISSING


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


@dataclass
class LoadPathConfig:
    flag: str = MISSING
    directory: str = MISSING
    name: str = MISSING


@dataclass
class CoqEnvConfig:
    _target_: str = "ntp.envs.coq_factory.CoqEnvFactory"
    root: str | None = None
    load_paths: list[LoadPathConfig] = field(default_factory=list)
    coqidetop: str = "coqidetop.opt"
    tactic_timeout_s: int = 2
    max_memory_mb: int = 4096
    num_workers: int = 12


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
    evidence: str = "joint"
    length_exponent: float = 0.0
    warmup_steps: int = 50
    seed: int = "${seed}"  # pyright: ignore[reportAssignmentType]


@dataclass
class LossConfig:
    _target_: str = MISSING
    penalty: str = "square"


@dataclass
class ExpertIterationConfig:
    _target_: str = "ntp.losses.objectives.ExpertIteration"


@dataclass
class DirectPreferenceConfig:
    _target_: str = "ntp.losses.verifier_objectives.DirectPreference"
    beta: float = 0.1


@dataclass
class LabelCrossEntropyConfig:
    _target_: str = "ntp.losses.verifier_objectives.LabelCrossEntropy"
    beta: float = 0.1


@dataclass
class CorrectLikelihoodConfig:
    _target_: str = "ntp.losses.verifier_objectives.CorrectLikelihood"


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
    """What is asked of policies; `shard` is the part `i/n` to do, `num_shards` asks for all parts, merged."""

    shard: str | None = None
    num_shards: int | None = None
    split: str = "test"
    max_theorems: int | None = None
    one_shot_tactics: list[str] = field(
        default_factory=lambda: ["auto.", "easy.", "intuition.", "firstorder."]
    )
    policies: dict[str, PolicyConfig] = field(default_factory=dict)
    baseline: str | None = None
    bootstrap_samples: int = 2000


@dataclass
class StudyConfig:
    """Runs to be compared: each variant, a list of overrides that name an experiment, with every seed."""

    variants: dict[str, list[str]] = field(default_factory=dict)
    seeds: list[int] = field(default_factory=lambda: [0])


@dataclass
class TrackingConfig:
    uri: str = MISSING
    experiment: str = MISSING
    checkpoint_every_n_steps: int = 100


@dataclass
class Config:
    """The whole config.

    Attributes:
        name: Of the study, and of the directory its result is kept in; from the experiment.
        seed: Of everything random.
        resume: Continue an interrupted run of the same command.
        force: Make the result again although it is there.
        objective: Name of the summary's metric that the command returns, for sweeps that optimise it.
    """

    name: str = MISSING
    seed: int = 0
    resume: bool = False
    force: bool = False
    objective: str | None = None
    task: Any = MISSING
    paths: Any = MISSING
    data: Any = MISSING
    env: Any = MISSING
    model: Any = MISSING
    adapter: Any = MISSING
    module: Any = MISSING
    loss: Any = MISSING
    reward: Any = MISSING
    aggregation: Any = MISSING
    retrieval: Any = MISSING
    policy: PolicyConfig = field(default_factory=PolicyConfig)
    verifier: VerifierSourceConfig = field(default_factory=VerifierSourceConfig)
    search: SearchConfig = field(default_factory=SearchConfig)
    mining: MiningConfig = field(default_factory=MiningConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    study: StudyConfig = field(default_factory=StudyConfig)
    optimizer: Any = MISSING
    trainer: Any = MISSING
    tracking: Any = MISSING


# (group, name): the schema that a YAML of that group names first in its defaults list.
SCHEMAS: dict[tuple[str, str], type] = {
    ("task", "schema"): TaskConfig,
    ("paths", "schema"): PathsConfig,
    ("data", "schema"): DataConfig,
    ("data", "schema_leandojo"): LeanDojoDataConfig,
    ("data", "schema_statements"): StatementsDataConfig,
    ("env", "schema_coq"): CoqEnvConfig,
    ("env", "schema_lean_repl"): LeanReplEnvConfig,
    ("env", "schema_lean_dojo"): LeanDojoEnvConfig,
    **MODEL_SCHEMAS,
    ("adapter", "schema_lora"): AdapterConfig,
    ("module", "schema_sft"): SFTModuleConfig,
    ("module", "schema_gfn"): GFNModuleConfig,
    ("module", "schema_verifier"): VerifierModuleConfig,
    ("loss", "schema"): LossConfig,
    ("loss", "schema_expert_iteration"): ExpertIterationConfig,
    ("loss", "schema_dpo"): DirectPreferenceConfig,
    ("loss", "schema_label_cross_entropy"): LabelCrossEntropyConfig,
    ("loss", "schema_correct_likelihood"): CorrectLikelihoodConfig,
    ("reward", "schema_kernel"): KernelRewardConfig,
    ("reward", "schema_verifier_ensemble"): VerifierRewardConfig,
    ("reward", "schema_verifier_only"): VerifierOnlyRewardConfig,
    ("aggregation", "schema_mean"): MeanConfig,
    ("aggregation", "schema_wco"): WorstCaseConfig,
    ("aggregation", "schema_uwo"): UncertaintyWeightedConfig,
    ("search", "schema_sampling"): SamplingConfig,
    ("search", "schema_best_first"): BestFirstConfig,
    ("optimizer", "schema"): OptimizerConfig,
    ("trainer", "schema"): TrainerConfig,
    ("tracking", "schema"): TrackingConfig,
    **RETRIEVAL_SCHEMAS,
}
