"""The whole config: its sections, and what a stage hands down to the stages that it needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from ntp.bounds import NonNegativeInt, PositiveFloat, PositiveInt

# What a stage hands down to the stages it needs, so that `model=llemma7b` on one command reaches all of them.
HANDED_DOWN = (
    *("seed", "paths", "data", "env", "model", "adapter", "retrieval", "mining", "alignment"),
    *("tracking.uri", "tracking.experiment", "tracking.max_adapter_mb"),
)

# Parameters that MLflow shows for every run that reads them; options of the command line are added.
COMPARED = (
    "seed",
    "model",
    "model.name_or_path",
    "module.seed",
    "module.batch_size",
    "module.num_heads",
    "loss",
    "reward",
    "optimizer.lr",
    "alignment.condition",
    "trainer.max_steps",
)
# Sections that a stage may read through the stages that it needs.
HANDED_ON = ("data", "policy", "verifier", "retrieval", "study", "alignment")


@dataclass
class Config:
    """The whole config. Sections of type Any have schemas of their own (`ntp.config.schema`).

    Attributes:
        name: Name of the study, and of the directory its result is kept in; from the experiment.
        seed: Seed of everything random.
        resume: Continue an interrupted run of the same command.
        force: Make the result again although it exists.
        objective: Name of the summary's metric that the command returns, for sweeps that optimise it.
        task: What to do.
        paths: Where the project is and where results go.
        data: Theorems, proofs and how they are split.
        env: The prover.
        model: The language model.
        adapter: Low-rank adaptation of a pretrained model.
        module: How a model is trained.
        loss: What training minimises.
        reward: What GFlowNet tuning samples in proportion to.
        aggregation: How the scores of an ensemble of verifiers become one.
        retrieval: Premises that are put in front of states.
        policy: The policy to start from.
        verifier: The ensemble of verifiers.
        search: How proofs are searched.
        mining: How attempts are mined.
        crawl: Which repositories are looked for.
        export: The formats in which a data set is written.
        instructions: Which instruction and chat data is written.
        evaluation: Which policies are evaluated on which theorems.
        equivalence: How formal statements are compared.
        known_pairs: Which pairs of statements with a known relation are made.
        formalization: How models are asked for formal statements.
        projects: Projects of `+experiment=project_eval`: names of the catalogue, or directories of built
            projects, with a slash in them.
        catalogue: List of projects that have names, as for `data.repos`.
        study: Arms to be compared.
        alignment: Data conditions, and how close they are to a target.
        sweep: The sweep that `task=collect` reports.
        serve: The copilot.
        optimizer: The optimizer.
        trainer: Lightning's trainer.
        tracking: Where runs are recorded.
    """

    name: str = MISSING
    seed: NonNegativeInt = 0
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
    policy: Any = MISSING
    verifier: Any = MISSING
    search: Any = MISSING
    mining: Any = MISSING
    crawl: Any = MISSING
    export: Any = MISSING
    instructions: Any = MISSING
    evaluation: Any = MISSING
    equivalence: Any = MISSING
    known_pairs: Any = MISSING
    formalization: Any = MISSING
    projects: list[str] = field(default_factory=list)
    catalogue: str = "${paths.root}/conf/data/repos/debian.yaml"
    study: Any = MISSING
    alignment: Any = MISSING
    sweep: Any = MISSING
    serve: Any = MISSING
    optimizer: Any = MISSING
    trainer: Any = MISSING
    tracking: Any = MISSING


@dataclass
class TaskOptions:
    """What to do.

    Attributes:
        _target_: Dotted path of a `ntp.workflow.task.Task` or `Report`.
    """

    _target_: str = MISSING


@dataclass
class PathOptions:
    """Where things are.

    Attributes:
        root: The project's directory.
        outputs: Output directories of all runs, and the MLflow database.
    """

    root: str = MISSING
    outputs: str = MISSING


@dataclass
class TrackingOptions:
    """Where runs are recorded.

    Attributes:
        uri: URI of the MLflow tracking store.
        experiment: Name of the MLflow experiment.
        parent_run_id: MLflow run of the sweep that this is a job of; set by the sweep.
        max_adapter_mb: Trained weights up to this size, in MB, are kept with the run as artifacts.
        checkpoint_every_n_steps: Training steps between checkpoints: what a kill may lose.
    """

    uri: str = MISSING
    experiment: str = MISSING
    parent_run_id: str | None = None
    max_adapter_mb: PositiveFloat = 200.0
    checkpoint_every_n_steps: PositiveInt = 100
