"""Lightning's logger and progress, reported to MLflow and the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger

from ntp.tracking.progress import ProgressReporter


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


class TrainingProgress(Callback):
    """Shows steps done, rate, time left, and the metrics that the module marks for the progress bar.

    Args:
        title: What is being trained.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._reporter: ProgressReporter | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Begin to count, a resumed run at the steps still to do."""
        total = trainer.max_steps - trainer.global_step
        self._reporter = ProgressReporter(self._title, total, "steps").__enter__()

    def on_train_batch_end(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """One step more."""
        assert self._reporter is not None
        metrics = trainer.progress_bar_metrics
        self._reporter.advance(
            note=", ".join(f"{name} {float(value):.3g}" for name, value in metrics.items())
        )

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Show the last state."""
        self._close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:  # noqa: ARG002
        """Give the terminal back."""
        self._close()

    def _close(self) -> None:
        if self._reporter is not None:
            self._reporter.__exit__(None, None, None)
            self._reporter = None
