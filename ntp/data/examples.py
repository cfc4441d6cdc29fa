"""Training examples: (state, tactic) pairs of human proofs for policies, labelled tactics for verifiers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from ntp.data.attempts import INCORRECT, PROVED, AttemptRecord
from ntp.seeding import derive_seed


@dataclass(frozen=True, slots=True)
class TacticPair:
    """A proof state, as the policy reads it, and the tactic that the recorded proof uses in it."""

    state: str
    tactic: str


def unique_pairs(pairs: Iterable[TacticPair]) -> list[TacticPair]:
    """Distinct pairs in order of first occurrence."""
    return list(dict.fromkeys(pairs))


@dataclass(frozen=True, slots=True)
class LabelledState:
    """A proof state of a theorem with tactics that the kernel labelled.

    Attributes:
        theorem_id: Id of the theorem.
        state: First goal, as the policy reads it.
        correct: Distinct correct tactics.
        incorrect: Distinct incorrect tactics.
        num_tried: How often each tactic was sampled, in the order of `tactics`.
    """

    theorem_id: str
    state: str
    correct: tuple[str, ...]
    incorrect: tuple[str, ...]
    num_tried: tuple[int, ...]

    @property
    def tactics(self) -> tuple[str, ...]:
        """All tactics, the correct ones first."""
        return self.correct + self.incorrect

    @property
    def labels(self) -> list[float]:
        """1 for each correct tactic, 0 for each incorrect one, in the order of `tactics`."""
        return [1.0] * len(self.correct) + [0.0] * len(self.incorrect)


@dataclass(frozen=True, slots=True)
class PreferenceRecord:
    """A preference pair in the usual format (prompt, chosen, rejected), with its origin.

    Attributes:
        prompt: The state, as the policy reads it, and a newline, since trainers append `chosen` directly.
        chosen: A correct tactic.
        rejected: An incorrect tactic.
        theorem_id: Id of the theorem.
        file: File of the theorem.
        rejected_label: Label of the incorrect tactic, one of `ntp.data.attempts.INCORRECT`.
        distance: Number of tactics of the shortest proof that begins with `chosen`.
    """

    prompt: str
    chosen: str
    rejected: str
    theorem_id: str
    file: str
    rejected_label: str
    distance: int


def labelled_states(attempts: Iterable[AttemptRecord]) -> list[LabelledState]:
    """Group attempts by theorem and state, and keep the states that have a correct or an incorrect tactic.

    States are compared by their first goal: a tactic is correct if it is so with any of the other goals.
    """
    groups: dict[tuple[str, str], tuple[Counter[str], Counter[str]]] = {}
    for attempt in attempts:
        correct, incorrect = groups.setdefault((attempt.theorem_id, attempt.state), (Counter(), Counter()))
        if attempt.label == PROVED:
            correct[attempt.tactic] += attempt.num_tried
        elif attempt.label in INCORRECT:
            incorrect[attempt.tactic] += attempt.num_tried
    states = []
    for (theorem_id, state), (correct, incorrect) in groups.items():
        wrong = tuple(tactic for tactic in incorrect if tactic not in correct)
        if correct or wrong:
            num_tried = tuple((correct + incorrect)[tactic] for tactic in (*correct, *wrong))
            states.append(LabelledState(theorem_id, state, tuple(correct), wrong, num_tried))
    return states


def decided_states(states: Iterable[LabelledState]) -> list[LabelledState]:
    """The states that have both correct and incorrect tactics."""
    return [state for state in states if state.correct and state.incorrect]


def preference_pairs(
    attempts: Sequence[AttemptRecord], max_pairs: int, seed: int
) -> Iterator[PreferenceRecord]:
    """All correct x incorrect pairs in the states of each theorem, at most `max_pairs` per theorem.

    If a theorem has more pairs, the seed determines which are kept.
    """
    by_theorem: dict[str, dict[str, tuple[list[AttemptRecord], list[AttemptRecord]]]] = {}
    for attempt in attempts:
        states = by_theorem.setdefault(attempt.theorem_id, {})
        correct, incorrect = states.setdefault(attempt.state, ([], []))
        if attempt.label == PROVED:
            correct.append(attempt)
        elif attempt.label in INCORRECT:
            incorrect.append(attempt)
    for theorem_id, states in by_theorem.items():
        pairs = [
            pair
            for correct, incorrect in states.values()
            for pair in product(correct, incorrect)
            if pair[1].tactic not in {attempt.tactic for attempt in correct}
        ]
        pairs.sort(key=lambda p: derive_seed(seed, theorem_id, p[0].state, p[0].tactic, p[1].tactic))
        for chosen, rejected in pairs[:max_pairs]:
            assert chosen.distance is not None
            yield PreferenceRecord(
                chosen.state + "\n",
                chosen.tactic,
                rejected.tactic,
                theorem_id,
                chosen.file,
                rejected.label,
                chosen.distance,
            )
