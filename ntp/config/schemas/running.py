"""Schemas of tasks and of where their results go."""

# ruff: noqa: D101 - a schema is documented by the class it is the schema of, or by its YAML
from __future__ import annotations

from dataclasses import dataclass, field

from hydra_plugins.hydra_submitit_launcher.config import SlurmQueueConf
from omegaconf import MISSING


@dataclass
class TaskConfig:
    name: str = MISSING


@dataclass
class PathsConfig:
    root: str = MISSING
    outputs: str = MISSING


@dataclass
class SweepConfig:
    """The sweep that `task=collect` looks at.

    Attributes:
        directory: What the sweep printed last; None for the latest one in `paths.outputs`.
    """

    directory: str | None = None


@dataclass
class SlurmLauncherConfig(SlurmQueueConf):
    """The options of hydra-submitit-launcher, and more.

    Attributes:
        srun_args: Arguments of srun, which starts the tasks of a job.
        wait: Wait for the jobs. Otherwise they are only submitted, and `task=collect` says how they stand.
    """

    _target_: str = "hydra_plugins.ntp_slurm.SlurmLauncher"
    srun_args: list[str] = field(default_factory=lambda: ["--kill-on-bad-exit=1"])
    wait: bool = True


@dataclass
class TrackingConfig:
    """Where runs are recorded.

    Attributes:
        uri: Of the MLflow tracking store.
        experiment: Of MLflow.
        parent_run_id: MLflow run of the sweep that this is a job of, set by the sweep.
        max_adapter_mb: Trained weights up to this size are kept with the run, as artifacts.
        checkpoint_every_n_steps: How much training a kill may lose.
    """

    uri: str = MISSING
    experiment: str = MISSING
    parent_run_id: str | None = None
    max_adapter_mb: float = 200.0
    checkpoint_every_n_steps: int = 100


SCHEMAS: dict[tuple[str, str], type] = {
    ("task", "schema"): TaskConfig,
    ("paths", "schema"): PathsConfig,
    ("hydra/launcher", "schema"): SlurmLauncherConfig,
    ("tracking", "schema"): TrackingConfig,
}
