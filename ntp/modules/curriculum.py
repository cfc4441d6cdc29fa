"""Which theorems are attempted in which training step."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ntp.data.records import TheoremRecord
from ntp.envs.schedule import plan_lanes
from ntp.errors import DataError
from ntp.seeding import derive_seed
from ntp.types import Theorem

# Successes and failures that a theorem counts with before it is attempted, by the number of steps of its
# recorded proof: from 1, 2, 3 and more, of which most are hopeless for a small policy.
_PRIORS = ((0.5, 1.0), (0.2, 1.0), (0.1, 1.0), (0.05, 1.0))
# What earlier attempts count when there are new ones: the policy has changed.
_FADE = 0.5


class Frontier:
    """Chooses theorems whose next attempts are likely to be mixed, some proofs and some not.

    Only such groups tell an objective apart from imitation: of a theorem that is always or never proved there
    is little to learn. The probability of a proof is drawn from the Beta distribution of what was observed
    (Thompson sampling), so that theorems that were attempted rarely are tried now and then.

    Args:
        priors: Successes and failures that each theorem begins with, positive.
        num_attempts: Attempts at a theorem in a training step.
        share: Part of the theorems in one pass.
        seed: Seed of the choices.
    """

    def __init__(
        self, priors: Mapping[str, tuple[float, float]], num_attempts: int, share: float, seed: int
    ) -> None:
        self._priors = priors
        self._num_attempts, self._share, self._seed = num_attempts, share, seed
        self._counts: dict[str, tuple[float, float]] = {}

    def observe(self, theorem_id: str, num_proved: int, num_attempts: int) -> None:
        """Take in attempts; what was observed before counts half."""
        prior = self._priors[theorem_id]
        before = self._counts.get(theorem_id, prior)
        new = (num_proved, num_attempts - num_proved)
        proved, failed = (p + _FADE * (b - p) + n for p, b, n in zip(prior, before, new, strict=True))
        self._counts[theorem_id] = (proved, failed)

    def choose(self, theorems: Sequence[Theorem], number: int) -> list[Theorem]:
        """The theorems of a pass, drawn without replacement in proportion to the chance of a mixed group.

        Args:
            theorems: All of them.
            number: Number of the pass, from 0.
        """
        draw = random.Random(derive_seed(self._seed, "frontier", number))
        keys = {}
        for theorem in theorems:
            p = draw.betavariate(*self._counts.get(theorem.id, self._priors[theorem.id]))
            mixed = 1 - p**self._num_attempts - (1 - p) ** self._num_attempts
            # The largest of U^(1/w) are a weighted sample without replacement (Efraimidis, Spirakis 2006).
            keys[theorem] = draw.random() ** (1 / max(mixed, 1e-6))
        num = max(1, round(self._share * len(theorems)))
        chosen = set(sorted(keys, key=lambda theorem: -keys[theorem])[:num])
        return [theorem for theorem in theorems if theorem in chosen]

    def state_dict(self) -> dict[str, list[float]]:
        """What was observed, as plain containers."""
        return {theorem_id: list(counts) for theorem_id, counts in self._counts.items()}

    def load_state_dict(self, state: Mapping[str, Sequence[float]]) -> None:
        """Replace what was observed."""
        self._counts = {theorem_id: (proved, failed) for theorem_id, (proved, failed) in state.items()}


def priors_of(records: Sequence[TheoremRecord]) -> dict[str, tuple[float, float]]:
    """What each theorem begins with in `Frontier`; one without a recorded proof counts as hard."""
    return {
        record.theorem.id: _PRIORS[min(len(record.steps) or len(_PRIORS), len(_PRIORS)) - 1]
        for record in records
    }


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

    @property
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
