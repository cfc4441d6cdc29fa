"""DataModules: the batches that LightningModules are trained on."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import lightning
from torch.utils.data import DataLoader

from ntp.data.batches import BatchSchedule, Schedule
from ntp.data.examples import LabelledState, TacticPair
from ntp.envs.base import ProofEnv
from ntp.envs.pool import EnvPool
from ntp.modules.curriculum import Frontier, TheoremSchedule
from ntp.modules.packing import Packed
from ntp.retrieval.examples import RetrievalExample
from ntp.retrieval.negatives import ContrastiveSchedule, DrawnExample
from ntp.types import Theorem

T = TypeVar("T")


class StepLoader(Generic[T]):
    """Iterates endlessly over the batches of a schedule from a given step on.

    A Lightning data loader without workers or sampler state: the trainer's `global_step` is all the state.
    """

    def __init__(self, schedule: Schedule[T], first_step: int) -> None:
        self._schedule = schedule
        self._first_step = first_step

    def __iter__(self) -> Iterator[Sequence[T]]:
        step = self._first_step
        while True:
            yield self._schedule.batch(step)
            step += 1


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


class TheoremDataModule(lightning.LightningDataModule):
    """Serves theorems and owns the prover pool, open from `setup` to `teardown`.

    Args:
        theorems: The training theorems.
        make_env: Starts one prover.
        num_workers: Provers, divided among the processes of a distributed run.
        batch_size: Theorems in a training step. The number of provers does not change what is computed.
        seed: Seed of the order of theorems.
        curriculum: Chooses theorems by how often they were proved; None to visit all alike.
    """

    def __init__(
        self,
        theorems: Sequence[Theorem],
        make_env: Callable[[], ProofEnv],
        num_workers: int,
        batch_size: int,
        seed: int,
        curriculum: Frontier | None = None,
    ) -> None:
        super().__init__()
        self._theorems = {theorem.id: theorem for theorem in theorems}
        self._curriculum = curriculum
        self._schedule = TheoremSchedule(theorems, batch_size, seed, curriculum)
        self._make_env = make_env
        self._num_workers = num_workers
        self._pool: EnvPool | None = None

    @property
    def pool(self) -> EnvPool:
        """The provers, open only while a trainer runs."""
        assert self._pool is not None, "the pool is open from setup to teardown"
        return self._pool

    def theorem(self, theorem_id: str) -> Theorem:
        """A training theorem."""
        return self._theorems[theorem_id]

    def observe(self, theorem_id: str, num_proved: int, num_attempts: int) -> None:
        """Tell the curriculum how many attempts at a theorem were proofs."""
        if self._curriculum is not None:
            self._curriculum.observe(theorem_id, num_proved, num_attempts)

    def state_dict(self) -> dict[str, Any]:
        """What the order of theorems depends on, for checkpoints."""
        return self._schedule.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from there."""
        self._schedule.load_state_dict(state_dict)

    def batch(self, step: int) -> Sequence[Theorem]:
        """The theorems of a training step; with accumulated gradients, of the first of its batches."""
        accumulated = self.trainer.accumulate_grad_batches if self.trainer else 1
        return self._schedule.batch(step * accumulated)

    def setup(self, stage: str) -> None:  # noqa: ARG002 - Lightning's signature
        """Start the provers."""
        if self._pool is None:
            world_size = self.trainer.world_size if self.trainer else 1
            self._pool = EnvPool(self._make_env, -(-self._num_workers // world_size))

    def teardown(self, stage: str | None = None) -> None:  # noqa: ARG002 - Lightning's signature
        """End the provers."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def train_dataloader(self) -> StepLoader[Theorem]:
        """Batches from the trainer's current step on."""
        trainer = self.trainer
        assert trainer is not None
        return StepLoader(self._schedule, trainer.global_step * trainer.accumulate_grad_batches)


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
