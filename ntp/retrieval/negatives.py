"""Samples the training batches of a dual encoder: premises that were used and others that were not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ntp.data.batches import BatchSchedule
from ntp.retrieval.corpus import PremiseCorpus
from ntp.retrieval.examples import RetrievalExample
from ntp.seeding import derive_seed


@dataclass(frozen=True, slots=True)
class DrawnExample:
    """An example with the premises sampled for a batch.

    Attributes:
        example: The state and all premises that its tactic names.
        positive: One of these.
        negatives: Others that its theorem could have used. All premises of a batch are shared by its states.
    """

    example: RetrievalExample
    positive: int
    negatives: tuple[int, ...]


class ContrastiveSchedule:
    """Batches of examples with sampled premises: a pure function of the step and the seed.

    As in ReProver, some negatives come from the theorem's own file, which are the hardest to distinguish from
    the used ones, and the others from all accessible premises.

    Args:
        examples: Examples of the training split.
        corpus: The premises.
        batch_size: Examples in a batch.
        num_in_file: Negatives of an example from its own file, before its theorem, if there are any.
        num_accessible: Negatives of an example from all accessible premises.
        seed: Seed of the order and the samples.

    Raises:
        DataError: There are no examples.
    """

    def __init__(
        self,
        examples: Sequence[RetrievalExample],
        corpus: PremiseCorpus,
        batch_size: int,
        num_in_file: int,
        num_accessible: int,
        seed: int,
    ) -> None:
        self._corpus = corpus
        self._num_in_file = num_in_file
        self._num_accessible = num_accessible
        self._seed = seed
        self._batches = BatchSchedule(examples, [len(e.state) for e in examples], batch_size, seed)

    def batch(self, step: int) -> list[DrawnExample]:
        """The batch of optimizer step `step`, counted from 0 over all epochs."""
        rng = np.random.default_rng(derive_seed(self._seed, "negatives", step))
        return [self._draw(example, rng) for example in self._batches.batch(step)]

    def _draw(self, example: RetrievalExample, rng: np.random.Generator) -> DrawnExample:
        positive = example.used[rng.integers(len(example.used))]
        drawn = _draw_from([self._corpus.own(example.theorem)], self._num_in_file, rng)
        if self._num_accessible:
            drawn += _draw_from(self._corpus.accessible(example.theorem), self._num_accessible, rng)
        return DrawnExample(example, positive, tuple(n for n in drawn if n not in example.used))


def _draw_from(ranges: Sequence[tuple[int, int]], num: int, rng: np.random.Generator) -> list[int]:
    """Numbers from half-open ranges, with replacement; none where the ranges are empty."""
    ends = np.cumsum([end - begin for begin, end in ranges])
    if not num or not len(ends) or not ends[-1]:
        return []
    drawn = rng.integers(ends[-1], size=num)
    which = np.searchsorted(ends, drawn, side="right")
    return [ranges[i][1] - int(ends[i] - n) for i, n in zip(which, drawn, strict=True)]
