"""DataModules of what is learned from recorded or labelled data."""

from __future__ import annotations

import random
from collections.abc import Sequence

import lightning
from torch.utils.data import DataLoader

from ntp.data.batches import BatchSchedule
from ntp.data.examples import LabelledState, TacticPair
from ntp.modules.datamodules import StepLoader
from ntp.modules.packing import Packed
from ntp.retrieval.examples import RetrievalExample
from ntp.retrieval.negatives import ContrastiveSchedule, DrawnExample


class TacticDataModule(lightning.LightningDataModule):
    """Serves tactic pairs of the training split endlessly and those of the validation split once.

    Args:
        train: Training pairs.
        val: Validation pairs; may be empty.
        batch_size: Pairs in a batch.
        seed: Seed of the order of training pairs.
    """

    def __init__(
        self, train: Sequence[TacticPair], val: Sequence[TacticPair], batch_size: int, seed: int
    ) -> None:
        super().__init__()
        # Shuffled, so that the first batches are a representative sample if validation is limited to them;
        # with a fixed seed, so that runs are compared on the same pairs.
        self._val = random.Random(0).sample(val, len(val))
        self._batch_size = batch_size
        self._schedule = BatchSchedule(train, list(map(_length, train)), batch_size, seed)

    def train_dataloader(self) -> StepLoader[TacticPair]:
        """Batches from the trainer's current step on."""
        trainer = self.trainer
        assert trainer is not None
        return StepLoader(self._schedule, trainer.global_step * trainer.accumulate_grad_batches)

    def val_dataloader(self) -> DataLoader[TacticPair]:
        """Validation batches, in a fixed random order."""
        return DataLoader(self._val, self._batch_size, collate_fn=list)  # pyright: ignore[reportArgumentType]


class PackedDataModule(lightning.LightningDataModule):
    """Serves sequences of packed examples of the training part endlessly and those of validation once.

    Args:
        train: Training sequences.
        val: Validation sequences; may be empty.
        batch_size: Sequences in a batch.
        seed: Seed of the order of training sequences.
    """

    def __init__(self, train: Sequence[Packed], val: Sequence[Packed], batch_size: int, seed: int) -> None:
        super().__init__()
        self._val = random.Random(0).sample(val, len(val))
        self._batch_size = batch_size
        self._schedule = BatchSchedule(train, [len(packed.ids) for packed in train], batch_size, seed)

    def train_dataloader(self) -> StepLoader[Packed]:
        """Batches from the trainer's current step on."""
        trainer = self.trainer
        assert trainer is not None
        return StepLoader(self._schedule, trainer.global_step * trainer.accumulate_grad_batches)

    def val_dataloader(self) -> DataLoader[Packed]:
        """Validation batches, in a fixed random order."""
        return DataLoader(self._val, self._batch_size, collate_fn=list)  # pyright: ignore[reportArgumentType]


def _length(pair: TacticPair) -> int:
    return len(pair.state) + len(pair.tactic)


class LabelledStateDataModule(lightning.LightningDataModule):
    """Serves batches of labelled states of the training split endlessly.

    Args:
        train: States of the training split.
        val: States of the validation split, for calibration.
        batch_size: States in a batch.
        seed: Seed of the order.
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


class RetrievalDataModule(lightning.LightningDataModule):
    """Serves sampled examples of the training split endlessly and those of the validation split once.

    Args:
        schedule: Schedule of the training split.
        val: Examples of the validation split; may be empty.
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
