"""What processes other than the main one log to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ntp.tracking.mlflow import MlflowRun


class NoRun(MlflowRun):
    """Takes everything that is logged and keeps nothing."""

    def __init__(self) -> None:
        pass

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Keep nothing."""

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Keep nothing."""

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Keep nothing."""

    def log_artifact(self, path: Path, folder: str | None = None) -> None:
        """Keep nothing."""

    def lightning_logger(self) -> Any:
        """Lightning's way to say that there is no logger."""
        return False
