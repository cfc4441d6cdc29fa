"""Endless batches for training, and the theorems that are attempted in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

import lightning

from ntp.data.batches import Schedule
from ntp.envs.base import ProofEnv
from ntp.envs.pool import EnvPool, plan_lanes
from ntp.errors import DataError
from ntp.modules.curriculum import Frontier
from ntp.seeding import derive_seed
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


@dataclass(frozen=True)
class _Pass:
    """Steps that visit some theorems once.

    Attributes:
        number: Of the pass, from 0.
        begin: Its first step.
        lanes: The theorems, one lane for each of those of a step.
    """

    number: int
    begin: int
    lanes: list[list[Theorem]]

    @property
    def end(self) -> int:
        return self.begin + max(map(len, self.lanes))

    @property
    def ids(self) -> list[str]:
        return [theorem.id for lane in self.lanes for theorem in lane]


class TheoremSchedule:
    """Endless batches of theorems, one from each lane; a lane goes through its files from end to start.

    The theorems of a step come from different files, for a diverse gradient, while each prover stays in its
    file. Without a curriculum the batch of a step is a pure function of the step. With one, a pass is drawn
    when its first step is asked for, and is part of the state; of earlier passes only the last is known.

    Args:
        theorems: The training theorems.
        batch_size: Theorems in a step, and lanes.
        seed: Seed of the order of files.
        curriculum: Chooses the theorems of a pass; None for all.

    Raises:
        DataError: There are no theorems.
    """

    def __init__(
        self, theorems: Sequence[Theorem], batch_size: int, seed: int, curriculum: Frontier | None = None
    ) -> None:
        if not theorems:
            raise DataError("no theorems to train on: the split is empty after filtering, widen data.include")
        self._theorems = theorems
        self._batch_size = min(batch_size, len(theorems))
        self._seed = seed
        self._curriculum = curriculum
        self._passes: list[_Pass] = []

    @cached_property
    def batches_per_epoch(self) -> int:
        """Steps in one pass over all theorems."""
        return max(map(len, plan_lanes(self._theorems, self._batch_size)))

    def batch(self, step: int) -> list[Theorem]:
        """The theorems of training step `step`; the last steps of a pass may have fewer."""
        if self._curriculum is None:
            number, index = divmod(step, self.batches_per_epoch)
            if not self._passes or self._passes[0].number != number:
                self._passes = [self._planned(number, step - index, self._theorems)]
        while not self._passes or step >= self._passes[-1].end:
            begin = self._passes[-1].end if self._passes else 0
            number = self._passes[-1].number + 1 if self._passes else 0
            assert self._curriculum is not None
            chosen = self._curriculum.choose(self._theorems, number)
            self._passes = [*self._passes[-1:], self._planned(number, begin, chosen)]
        found = next(p for p in self._passes if p.begin <= step < p.end)
        return [lane[step - found.begin] for lane in found.lanes if step - found.begin < len(lane)]

    def state_dict(self) -> dict[str, Any]:
        """The passes and what the curriculum has observed; empty without a curriculum."""
        if self._curriculum is None:
            return {}
        passes = [{"number": p.number, "begin": p.begin, "ids": p.ids} for p in self._passes]
        return {"passes": passes, "observed": self._curriculum.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state."""
        if self._curriculum is None:
            return
        self._curriculum.load_state_dict(state["observed"])
        self._passes = []
        for saved in state["passes"]:
            ids = set(saved["ids"])
            theorems = [theorem for theorem in self._theorems if theorem.id in ids]
            self._passes.append(self._planned(saved["number"], saved["begin"], theorems))

    def _planned(self, number: int, begin: int, theorems: Sequence[Theorem]) -> _Pass:
        num_lanes = min(self._batch_size, len(theorems))
        return _Pass(number, begin, plan_lanes(theorems, num_lanes, derive_seed(self._seed, number)))


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
