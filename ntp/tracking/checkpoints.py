"""Checkpoints for resuming a training run: one file, replaced atomically."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from ntp.errors import PreemptedError
from ntp.tracking.preemption import StopSignals

LAST_CHECKPOINT = "last.ckpt"


class AtomicCheckpointIO(TorchCheckpointIO):
    """Saves so that a kill at any moment leaves the old file or the new one, never a part of one.

    Lightning's own save writes to the system's temporary directory and moves the file from there, which is a
    copy when that is another file system.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any | None = None
    ) -> None:
        """Write beside the target, flush to disk, rename."""
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

    A signal that asks the run to end, in any process of a distributed run, is obeyed after the step: all save
    and raise `PreemptedError`.
    Nothing is saved on another exception: in the middle of a step, buffers and random states are ahead of the
    weights, and a run resumed from there would not be the run that was interrupted.

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
            # Who was not told itself ends as the others do.
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
        """Give signals back to whoever handled them."""
        self._signals.close()

    def _save(self, trainer: Trainer) -> None:
        trainer.save_checkpoint(self.path, weights_only=False)
        self._saved_step = trainer.global_step


def find_resume_checkpoint(directory: Path) -> Path | None:
    """The checkpoint to resume from; None when training starts afresh."""
    path = directory / LAST_CHECKPOINT
    return path if path.is_file() else None
