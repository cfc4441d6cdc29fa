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
class SweepConfig:
    """The sweep that `task=collect` looks at.

    Attributes:
        directory: What the sweep printed last; None for the latest one in `paths.outputs`.
    """

    directory: str | None = None


@dataclass
class TrackingConfig:
    uri: str = MISSING
    experiment: str = MISSING
    checkpoint_every_n_steps: int = 100


SCHEMAS: dict[tuple[str, str], type] = {
    ("task", "schema"): TaskConfig,
    ("paths", "schema"): PathsConfig,
    ("tracking", "schema"): TrackingConfig,
}
