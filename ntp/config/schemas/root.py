"""The schema of the whole config."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from ntp.config.schemas.policy import PolicyConfig, VerifierSourceConfig
from ntp.config.schemas.running import SweepConfig
from ntp.config.schemas.search import EvaluationConfig, MiningConfig, SearchConfig


@dataclass
class StudyConfig:
    """Runs to be compared: each variant, a list of overrides that name an experiment, with every seed."""

    variants: dict[str, list[str]] = field(default_factory=dict)
    seeds: list[int] = field(default_factory=lambda: [0])


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
    sweep: SweepConfig = field(default_factory=SweepConfig)
    optimizer: Any = MISSING
    trainer: Any = MISSING
    tracking: Any = MISSING
