"""Reports the state of the jobs of a sweep that was submitted earlier."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from ntp.errors import ConfigError
from ntp.workflow.sweep.jobs import report
from ntp.workflow.sweep.records import JOB_FILE, read_jobs
from ntp.workflow.task import Report


@dataclass(frozen=True)
class SweepOptions:
    """The sweep that `task=collect` reports.

    Attributes:
        directory: What the sweep printed last; null for the latest one in `paths.outputs`.
    """

    directory: str | None = None


def run(cfg: DictConfig) -> None:
    """Print the table of `sweep.directory`, by default of the latest sweep.

    Raises:
        ConfigError: There is no sweep.
        SystemExit: A job failed.
    """
    directory = _latest(cfg) if cfg.sweep.directory is None else Path(cfg.sweep.directory).absolute()
    if not read_jobs(directory):
        raise ConfigError(
            f"{directory} holds no jobs of a sweep: give sweep.directory=PATH, what the sweep printed last"
        )
    status = report(directory)
    if status != 0:
        sys.exit(status)


def _latest(cfg: DictConfig) -> Path:
    sweeps = Path(cfg.paths.outputs) / "sweeps"
    # Not by reading what is in them: an old one may be of a schema that is not read any more.
    return max((path.parent.parent for path in sweeps.glob(f"*/*/{JOB_FILE}")), default=sweeps)


TASK = Report("collect", run)
