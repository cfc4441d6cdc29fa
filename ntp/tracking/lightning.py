"""Callbacks for Lightning's trainer: checkpoints that survive a kill, a logger and a progress report."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, Checkpoint, ModelCheckpoint
from lightning.pytorch.loggers import Logger

from ntp.errors import PreemptedError
from ntp.tracking.preemption import StopSignals
from ntp.tracking.progress import ProgressReporter

LAST_CHECKPOINT = "last.ckpt"


class AtomicCheckpointIO(TorchCheckpointIO):
    """Saves so that a kill at any moment leaves the old file or the new one, never a part of one.

    Lightning's own save writes to the system's temporary directory and moves the file from there, which is a
    copy when that is another file system.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any | None = None
    ) -> None:
        """Write next to the target, flush to disk, rename."""
        if storage_options is not None:
            raise TypeError("AtomicCheckpointIO takes no storage_options")
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.tmp")
        with temporary.open("wb") as file:
            torch.save(checkpoint, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)


class LastCheckpoint(Checkpoint):
    """Keeps `last.ckpt` at most `every_n_steps` optimizer steps old, and saves it when training ends.

    When any process of a distributed run receives a stop signal, all processes finish the step, save and
    raise `PreemptedError`.
    Nothing is saved on other exceptions: in the middle of a step, buffers and random states are ahead of the
    weights, so a run resumed from there would differ from an uninterrupted one.

    Args:
        directory: Where `last.ckpt` is kept.
        every_n_steps: Optimizer steps between saves.
    """

    def __init__(self, directory: Path, every_n_steps: int) -> None:
        self.path = directory / LAST_CHECKPOINT
        self.every_n_steps = every_n_steps
        self._saved_step = self._seen_step = 0
        self._signals = StopSignals()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """A resumed run counts from the step that it resumed at."""
        self._saved_step = self._seen_step = trainer.global_step
        self._signals.open()

    def on_train_batch_end(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """After an optimizer step, save when the last save is old enough."""
        if trainer.global_step == self._seen_step:
            return  # gradients are being accumulated, which no checkpoint holds
        self._seen_step = trainer.global_step
        stop = trainer.strategy.reduce_boolean_decision(self._signals.received is not None, all=False)
        if stop or trainer.global_step - self._saved_step >= self.every_n_steps:
            self._save(trainer)
        if stop:
            # Processes that received no signal themselves end like the one that did.
            signum = self._signals.obey() or signal.SIGTERM
            raise PreemptedError(
                signum, f"stopped by {signum.name} after step {trainer.global_step}, which is kept"
            )

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Save the final state."""
        if trainer.global_step > self._saved_step:
            self._save(trainer)
        self._signals.close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:  # noqa: ARG002
        """Restore the previous handlers of signals."""
        self._signals.close()

    def _save(self, trainer: Trainer) -> None:
        trainer.save_checkpoint(self.path, weights_only=False)
        self._saved_step = trainer.global_step


class BestCheckpoint(ModelCheckpoint):
    """Keeps in `best.ckpt` the weights with the least value of a validation metric.

    Args:
        directory: Where `best.ckpt` is kept.
        metric: Name of the metric.
    """

    def __init__(self, directory: Path, metric: str) -> None:
        self.metric = metric
        super().__init__(
            directory,
            filename="best",
            monitor=metric,
            mode="min",
            save_weights_only=True,
            save_on_train_epoch_end=False,
            enable_version_counter=False,
        )

    def is_better_than(self, value: float) -> bool:
        """Whether weights with a value below this one are kept."""
        return self.best_model_score is not None and float(self.best_model_score) < value

    @property
    def step(self) -> int:
        """The training step of the weights that are kept."""
        checkpoint = torch.load(self.best_model_path, map_location="cpu", weights_only=True)
        return checkpoint["global_step"]

    def remove(self) -> None:
        """Delete the file, if there is one."""
        if self.best_model_path:
            Path(self.best_model_path).unlink(missing_ok=True)


def find_resume_checkpoint(directory: Path) -> Path | None:
    """The checkpoint to resume from; None when training starts afresh."""
    path = directory / LAST_CHECKPOINT
    return path if path.is_file() else None


class RunLogger(Logger):
    """Forwards metrics only; whoever opened the run logs its parameters and ends it.

    Lightning's own MLflow logger raises in the middle of training when the store is unavailable.

    Args:
        log_metrics: Called with metrics and their step.
        experiment: Name of the experiment.
        run_id: Id of the run.
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
        """Do nothing: modules do not know which hyperparameters a comparison needs."""

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
        """Start counting; a resumed run counts only the remaining steps."""
        total = trainer.max_steps - trainer.global_step
        self._reporter = ProgressReporter(self._title, total, "steps").__enter__()

    def on_train_batch_end(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Count one more step."""
        assert self._reporter is not None
        metrics = trainer.progress_bar_metrics
        self._reporter.advance(
            note=", ".join(f"{name} {float(value):.3g}" for name, value in metrics.items())
        )

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Show the last state."""
        self._close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:  # noqa: ARG002
        """Release the terminal."""
        self._close()

    def _close(self) -> None:
        if self._reporter is not None:
            self._reporter.__exit__(None, None, None)
            self._reporter = None
