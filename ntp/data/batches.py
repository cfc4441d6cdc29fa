"""The batch of every training step as a pure function of the step, so that training resumes exactly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

import numpy as np

from ntp.errors import DataError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Schedule(Protocol[T_co]):
    """Gives the batch of every optimizer step."""

    def batch(self, step: int) -> Sequence[T_co]:
        """The batch of step `step`, counted from 0."""
        ...


class BatchSchedule(Generic[T]):
    """Endless shuffled batches of examples with similar lengths.

    Every epoch the examples are shuffled, cut into pools of `pool_batches` batches and sorted by length
    within each pool; then the batches are shuffled. All batches have `batch_size` examples; the remainder of
    an epoch is dropped.

    Args:
        examples: The examples.
        lengths: Length of each example, in any unit, by which similar examples are put in one batch.
        batch_size: Number of examples in a batch; fewer only if there are fewer examples.
        seed: Seed of the shuffles.
        pool_batches: Batches in a pool. A larger pool gives more similar lengths, a smaller one more
            randomness.

    Raises:
        DataError: There are no examples.
    """

    def __init__(
        self,
        examples: Sequence[T],
        lengths: Sequence[int],
        batch_size: int,
        seed: int,
        pool_batches: int = 32,
    ) -> None:
        if not examples:
            raise DataError("no training examples: the split is empty after filtering, widen data.include")
        self._examples = examples
        self._lengths = np.asarray(lengths)
        self._batch_size = min(batch_size, len(examples))
        self._seed = seed
        self._pool = pool_batches * self._batch_size
        self._epoch: tuple[int, list[np.ndarray]] = (-1, [])

    @property
    def batches_per_epoch(self) -> int:
        """Number of batches in one epoch."""
        return len(self._examples) // self._batch_size

    def batch(self, step: int) -> list[T]:
        """The batch of optimizer step `step`, counted from 0 over all epochs."""
        epoch, index = divmod(step, self.batches_per_epoch)
        if self._epoch[0] != epoch:
            self._epoch = (epoch, self._shuffled(epoch))
        return [self._examples[i] for i in self._epoch[1][index]]

    def _shuffled(self, epoch: int) -> list[np.ndarray]:
        rng = np.random.default_rng((self._seed, epoch))
        order = rng.permutation(len(self._examples))[: self.batches_per_epoch * self._batch_size]
        pools = [order[i : i + self._pool] for i in range(0, len(order), self._pool)]
        by_length = np.concatenate([pool[np.argsort(self._lengths[pool], kind="stable")] for pool in pools])
        batches = by_length.reshape(-1, self._batch_size)
        return list(batches[rng.permutation(len(batches))])
