"""Batches of (state, tactic) pairs for supervised fine-tuning."""

from __future__ import annotations

import random
from collections.abc import Sequence

import lightning
from torch.utils.data import DataLoader

from ntp.data.batches import BatchSchedule, StepLoader
from ntp.data.pairs import TacticPair


class TacticDataModule(lightning.LightningDataModule):
    """Serves tactic pairs of the training split for ever and those of the validation split once.

    Args:
        train: Training pairs.
        val: Validation pairs; may be empty.
        batch_size: Pairs in a batch.
        seed: Of the order of training pairs.
    """

    def __init__(
        self, train: Sequence[TacticPair], val: Sequence[TacticPair], batch_size: int, seed: int
    ) -> None:
        super().__init__()
        # Shuffled, so that the first batches, where no more are asked for, are a fair sample; in the same way
        # in every run, so that runs are compared on the same pairs.
        self._val = random.Random(0).sample(val, len(val))
        self._batch_size = batch_size
        self._schedule = BatchSchedule(train, list(map(_length, train)), batch_size, seed)

    def train_dataloader(self) -> StepLoader[TacticPair]:
        """Batches from the trainer's current step on."""
        trainer = self.trainer
        assert trainer is not None
        return StepLoader(self._schedule, trainer.global_step * trainer.accumulate_grad_batches)

    def val_dataloader(self) -> DataLoader[TacticPair]:
        """Validation batches, in an order that is random and always the same."""
        return DataLoader(self._val, self._batch_size, collate_fn=list)  # pyright: ignore[reportArgumentType]


def _length(pair: TacticPair) -> int:
    return len(pair.state) + len(pair.tactic)
