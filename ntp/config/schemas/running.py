"""Schemas of tasks and of where their results go."""

# ruff: noqa: D101 - a schema is documented by the class it is the schema of, or by its YAML
from __future__ import annotations

from dataclasses import dataclass

from omegaconf import MISSING


@dataclass
class TaskConfig:
    name: str = MISSING


@dataclass
class PathsConfig:
    root: str = MISSING
    outputs: str = MISSING


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
    ("tracking", "schema"): TrackingConfig,
}
