"""What a task gets from the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from ntp.jsonl import atomic_write
from ntp.tracking.mlflow import Run


@dataclass(frozen=True)
class Context:
    """Everything a task works with.

    Attributes:
        cfg: The whole config.
        directory: Where to write; may hold files of an interrupted run, which can be continued.
        inputs: Directories of the stages and checkpoints it needs, by role.
        mlflow: Its MLflow run; a run that logs nothing in processes other than the main one.
    """

    cfg: DictConfig
    directory: Path
    inputs: Mapping[str, Path]
    mlflow: Run

    def write(self, files: Mapping[str, str]) -> None:
        """Write text files into the directory, and log them as artifacts."""
        for name, text in files.items():
            with atomic_write(self.directory / name) as stream:
                stream.write(text)
            self.mlflow.log_artifact(self.directory / name)
