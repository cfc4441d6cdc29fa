"""Extract a data set from the sources of a project, or from a published benchmark."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig

from ntp.data.coq.extract import extract
from ntp.data.lean.import_benchmark import import_leandojo, import_statements
from ntp.workflow.context import Context


def run(context: Context) -> dict[str, float]:
    """Make the data set that `cfg.data` describes."""
    return SOURCES[context.cfg.data.source](context.cfg, context.directory)


def _extract_coq(cfg: DictConfig, directory: Path) -> dict[str, float]:
    """Replay every selected file and record its theorems, steps and premises."""
    summary = extract(
        instantiate(cfg.env).project,
        directory,
        include=list(cfg.data.include),
        exclude=list(cfg.data.exclude),
        num_workers=cfg.data.num_extract_workers,
    )
    return {name: value for name, value in asdict(summary).items() if isinstance(value, int | float)}


def _import_leandojo(cfg: DictConfig, directory: Path) -> dict[str, float]:
    return import_leandojo(Path(cfg.data.path), directory)


def _import_statements(cfg: DictConfig, directory: Path) -> dict[str, float]:
    return import_statements(Path(cfg.data.path), directory, cfg.data.header)


# By where the data comes from; each returns its summary.
SOURCES: dict[str, Callable[[DictConfig, Path], dict[str, float]]] = {
    "coq": _extract_coq,
    "leandojo": _import_leandojo,
    "statements": _import_statements,
}
