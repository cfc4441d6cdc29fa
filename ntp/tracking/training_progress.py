"""Progress of a Lightning run over its optimizer steps."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from ntp.tracking.progress import ProgressReporter


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
