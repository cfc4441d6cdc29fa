"""Lightning's metrics into a run of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch.loggers import Logger


class RunLogger(Logger):
    """Hands metrics on, and nothing else: parameters and the end of a run are the business of who opened it.

    Lightning's own MLflow logger raises in the middle of training when the store is away.

    Args:
        log_metrics: Takes metrics and their step.
        experiment: Name of the experiment.
        run_id: Of the run.
    """

    def __init__(
        self, log_metrics: Callable[[Mapping[str, float], int], None], experiment: str, run_id: str
    ) -> None:
        super().__init__()
        self._log_metrics = log_metrics
        self._experiment = experiment
        self._run_id = run_id

    @property
    def name(self) -> str:
        """Name of the experiment."""
        return self._experiment

    @property
    def version(self) -> str:
        """Id of the run."""
        return self._run_id

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Not logged: modules know too little to choose what a comparison needs."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log metrics at a step."""
        self._log_metrics(metrics, step or 0)
