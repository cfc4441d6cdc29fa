"""Labelled states for training a verifier."""

from __future__ import annotations

from collections.abc import Sequence

import lightning

from ntp.data.batches import BatchSchedule, StepLoader
from ntp.data.preferences import LabelledState


class LabelledStateDataModule(lightning.LightningDataModule):
    """Serves batches of labelled states of the training side for ever.

    Args:
        train: States of the training side.
        val: States of the validation side, for calibration.
        batch_size: States in a batch.
        seed: Of the order.
    """

    def __init__(
        self, train: Sequence[LabelledState], val: Sequence[LabelledState], batch_size: int, seed: int
    ) -> None:
        super().__init__()
        self.val = val
        self._schedule = BatchSchedule(train, [len(state.state) for state in train], batch_size, seed)

    def train_dataloader(self) -> StepLoader[LabelledState]:
        """Batches from the trainer's current step on."""
        trainer = self.trainer
        assert trainer is not None
        return StepLoader(self._schedule, trainer.global_step * trainer.accumulate_grad_batches)
