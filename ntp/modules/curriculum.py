"""A curriculum: theorems at the frontier of what a policy can prove."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from ntp.data.records import TheoremRecord
from ntp.seeding import derive_seed, weighted_sample
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
        weights = {}
        for theorem in theorems:
            p = draw.betavariate(*self._counts.get(theorem.id, self._priors[theorem.id]))
            mixed = 1 - p**self._num_attempts - (1 - p) ** self._num_attempts
            weights[theorem] = max(mixed, 1e-6)
        num = max(1, round(self._share * len(theorems)))
        chosen = set(weighted_sample(weights, num, draw))
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
