"""Tactics that were tried on theorems, labelled by the kernel.

What is known of one attempt depends on all others of its theorem: a tactic is correct when some way on from
where it leads was proved. The labels are

    proved       on the way to a proof; `distance` counts the tactics of the shortest from here, this included
    dead_end     accepted, but enough was tried from where it leads, and nothing came to a proof
    no_progress  accepted, but it leads back to the state it was tried in
    error        refused by the prover or by the guard
    timeout      ran past its time limit, or past another limit on what a prover may use
    open         accepted, and too little was tried from there to say

`proved` is correct; the others are incorrect, but for `open`, of which nothing is known.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ntp.types import Crashed, Exceeded, ProofState, Proved, Reached, Theorem, Timeout, Transition

PROVED = "proved"
DEAD_END = "dead_end"
NO_PROGRESS = "no_progress"
ERROR = "error"
TIMEOUT = "timeout"
OPEN = "open"
LABELS = (PROVED, DEAD_END, NO_PROGRESS, ERROR, TIMEOUT, OPEN)
INCORRECT = frozenset({DEAD_END, NO_PROGRESS, ERROR, TIMEOUT})


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One tactic tried in one state of one theorem.

    Attributes:
        theorem_id: Of the theorem.
        file: Its file.
        state: First goal, as the policy reads it.
        num_other_goals: Other goals.
        depth: Tactics from the theorem's root to the state, on the shortest way found.
        tactic: Its text.
        label: One of `LABELS`.
        distance: Tactics to the end of the proof, this one included; None unless proved.
        num_tried: How often it was drawn.
    """

    theorem_id: str
    file: str
    state: str
    num_other_goals: int
    depth: int
    tactic: str
    label: str
    distance: int | None
    num_tried: int


@dataclass(frozen=True, slots=True)
class MinedTheorem:
    """What mining made of one theorem.

    Attributes:
        theorem: Its id.
        attempts: What was tried on it; nothing if it could not be opened.
        wall_s: Seconds of the searches that are due to it.
    """

    theorem: str
    attempts: tuple[AttemptRecord, ...]
    wall_s: float


def label_attempts(
    theorem: Theorem, root: ProofState, transitions: Iterable[Transition], min_tries: int
) -> list[AttemptRecord]:
    """Label everything that searches tried on a theorem.

    Args:
        theorem: The theorem.
        root: Its initial state.
        transitions: Every step tried, of any number of searches.
        min_tries: Distinct tactics that must have been tried in a state before it counts as a dead end.

    Returns:
        One record per distinct (state, tactic), in the order first tried, without those that crashed.
    """
    steps = [step for step in transitions if not isinstance(step.outcome, Crashed)]
    first: dict[tuple[str, str], Transition] = {}
    num_tried: Counter[tuple[str, str]] = Counter()
    for step in steps:
        edge = (step.state.key, step.tactic.text)
        # A tactic near its time limit runs past it in one search and not in another.
        if edge not in first or isinstance(first[edge].outcome, Timeout | Exceeded):
            first[edge] = step
        num_tried[edge] += 1
    distances = _distances(steps)
    depths = _depths(root, steps)
    tries = Counter(key for key, _ in first)
    records = []
    for edge, step in first.items():
        label, distance = _label(step, distances, tries, min_tries)
        records.append(
            AttemptRecord(
                theorem_id=theorem.id,
                file=theorem.file,
                state=step.state.text,
                num_other_goals=len(step.state.other_goals),
                depth=depths[step.state.key],
                tactic=step.tactic.text,
                label=label,
                distance=distance,
                num_tried=num_tried[edge],
            )
        )
    return records


def _label(
    step: Transition, distances: dict[str, int], tries: Counter[str], min_tries: int
) -> tuple[str, int | None]:
    match step.outcome:
        case Proved():
            return PROVED, 1
        case Reached(state) if state.key == step.state.key:
            return NO_PROGRESS, None
        case Reached(state) if state.key in distances:
            return PROVED, distances[state.key] + 1
        case Reached(state):
            return (DEAD_END if tries[state.key] >= min_tries else OPEN), None
        case Timeout() | Exceeded():
            return TIMEOUT, None
        case _:
            return ERROR, None


def _distances(steps: Iterable[Transition]) -> dict[str, int]:
    """Tactics from each state to the end of its shortest proof, for states that have one."""
    before: defaultdict[str, set[str]] = defaultdict(set)
    frontier: set[str] = set()
    for step in steps:
        if isinstance(step.outcome, Proved):
            frontier.add(step.state.key)
        elif isinstance(step.outcome, Reached):
            before[step.outcome.state.key].add(step.state.key)
    distances: dict[str, int] = {}
    distance = 1
    while frontier:
        distances.update(dict.fromkeys(frontier, distance))
        frontier = {key for reached in frontier for key in before[reached] if key not in distances}
        distance += 1
    return distances


def _depths(root: ProofState, steps: Iterable[Transition]) -> dict[str, int]:
    """Tactics from the root to each state, on the shortest way."""
    after: defaultdict[str, set[str]] = defaultdict(set)
    for step in steps:
        if isinstance(step.outcome, Reached):
            after[step.state.key].add(step.outcome.state.key)
    depths = {root.key: 0}
    frontier = [root.key]
    for key in frontier:
        for reached in after[key]:
            if reached not in depths:
                depths[reached] = depths[key] + 1
                frontier.append(reached)
    return depths


def attempts_file(directory: Path, split: str) -> Path:
    """The file of the attempts on a part of the split, in the directory of a mining run."""
    return directory / f"attempts-{split}.jsonl"


def mined_files(directory: Path, split: str) -> list[Path]:
    """The files of all that was mined on a part of the split, in order: of a mining run or a shard of one."""
    return sorted((directory / "parts").glob(f"mined-{split}-*.jsonl"))
