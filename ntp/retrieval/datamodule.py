"""Examples for training a dense retriever."""

from __future__ import annotations

from collections.abc import Sequence

import lightning
from torch.utils.data import DataLoader

from ntp.data.batches import StepLoader
from ntp.retrieval.examples import RetrievalExample
from ntp.retrieval.negatives import ContrastiveSchedule, DrawnExample


class RetrievalDataModule(lightning.LightningDataModule):
    """Serves drawn examples of the training side for ever and those of the validation side once.

    Args:
        schedule: Of the training side.
        val: Examples of the validation side; may be empty.
        batch_size: Examples in a validation batch.
    """

    def __init__(
        self, schedule: ContrastiveSchedule, val: Sequence[RetrievalExample], batch_size: int
    ) -> None:
        super().__init__()
        self._schedule = schedule
        self._val = list(val)
        self._batch_size = batch_size

    def train_dataloader(self) -> StepLoader[DrawnExample]:
        """Batches from the trainer's current step on."""
        trainer = self.trainer
        assert trainer is not None
        return StepLoader(self._schedule, trainer.global_step * trainer.accumulate_grad_batches)

    def val_dataloader(self) -> DataLoader[RetrievalExample]:
        """Validation batches in order."""
        return DataLoader(self._val, self._batch_size, collate_fn=list)  # pyright: ignore[reportArgumentType]
