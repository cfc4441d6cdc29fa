"""What is recorded of a stage in MLflow: parameters to compare it by, its origin and its results."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from ntp.config.root import COMPARED, HANDED_ON
from ntp.tracking.mlflow import Run
from ntp.tracking.run_dir import git_commit
from ntp.workflow.stage import Stage


def describe(run: Run, stage: Stage, inputs: Mapping[str, Path]) -> None:
    """Log what is known before a stage is made: parameters, config, git commit, tags of its inputs."""
    tags = {"git_commit": git_commit(), "stage": stage.key}
    for role, need in reversed(list(stage.needs.items())):  # the first one's tags count
        tags |= need.task.tags(inputs[role])
    run.set_tags(tags)
    run.log_params(parameters(stage))
    run.log_artifact(stage.directory / "config.yaml")


def keep(run: Run, stage: Stage, summary: Mapping[str, float]) -> None:
    """Log the results of a stage: its summary, its tags, and weights that are small."""
    run.log_summary(summary)
    run.set_tags(dict(stage.task.tags(stage.directory)))
    if stage.task.weights is not None:
        folder = stage.directory / stage.task.weights
        if folder.is_dir() and _size_mb(folder) <= stage.cfg.tracking.max_adapter_mb:
            run.log_artifact(folder)


def parameters(stage: Stage) -> dict[str, str]:
    """Parameters for MLflow: the task, what runs are compared by, and what the command line names.

    Values are those of the stage itself, which may differ from those of the stage that was asked for. A
    section is given by its name or its class.
    """
    reads = tuple(stage.task.reads(stage.cfg))
    compared = [name for name in COMPARED if _is_in(name, reads)]
    asked = [name for name in _command_line() if _is_in(name, (*reads, *HANDED_ON))]
    values = {name: _label(OmegaConf.select(stage.cfg, name)) for name in (*compared, *asked)}
    return {"task": stage.kind} | {name: value for name, value in values.items() if value is not None}


def _command_line() -> list[str]:
    if not HydraConfig.initialized():
        return []
    overrides = OverridesParser.create().parse_overrides(list(HydraConfig.get().overrides.task))
    return [override.key_or_group for override in overrides]


def _is_in(name: str, sections: tuple[str, ...]) -> bool:
    return any(name == section or name.startswith(f"{section}.") for section in sections)


def _label(value: object) -> str | None:
    if isinstance(value, DictConfig):
        label = value.get("name") or value.get("_target_")
        return label and str(label).rpartition(".")[2]
    return None if value is None else str(value)


def _size_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
