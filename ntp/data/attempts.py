"""Attempts: tactics that were tried in states of theorems, labelled by the kernel.

The label of an attempt depends on all other attempts at its theorem: a tactic is correct if some proof was
found from the state that it leads to. The labels are

    proved       part of a proof; `distance` is the number of tactics of the shortest one, this included
    dead_end     accepted, but enough tactics were tried in the state it leads to and none led to a proof
    no_progress  accepted, but it leads back to the state it was tried in
    error        refused by the prover or by the guard
    timeout      exceeded its time limit or another limit of the prover
    open         accepted, but too few tactics were tried in the state it leads to

`proved` is correct. The others are incorrect, except `open`, which is undecided.
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
        theorem_id: Id of the theorem.
        file: File of the theorem.
        state: First goal, as the policy reads it.
        num_other_goals: Number of other goals.
        depth: Number of tactics on the shortest known path from the initial state to the state.
        tactic: Text of the tactic.
        label: One of `LABELS`.
        distance: Number of tactics to the end of the proof, this one included; None unless proved.
        num_tried: How often it was sampled.
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
    """The result of mining one theorem.

    Attributes:
        theorem: Id of the theorem.
        attempts: All attempts at it; empty if it could not be opened.
        wall_s: Its share of the time of the searches, in seconds.
    """

    theorem: str
    attempts: tuple[AttemptRecord, ...]
    wall_s: float


def label_attempts(
    theorem: Theorem, root: ProofState, transitions: Iterable[Transition], min_tries: int
) -> list[AttemptRecord]:
    """Label all attempts of searches at a theorem.

    Args:
        theorem: The theorem.
        root: Its initial state.
        transitions: All transitions of any number of searches.
        min_tries: Number of distinct tactics that must have been tried in a state to call it a dead end.

    Returns:
        One record per distinct (state, tactic), in the order first tried, without crashes.
    """
    steps = [step for step in transitions if not isinstance(step.outcome, Crashed)]
    first: dict[tuple[str, str], Transition] = {}
    num_tried: Counter[tuple[str, str]] = Counter()
    for step in steps:
        edge = (step.state.key, step.tactic.text)
        # A tactic near its time limit may exceed it in one search and not in another.
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
    """Number of tactics of the shortest proof from each state that has one."""
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
    """Number of tactics on the shortest path from the root to each state."""
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
    """The file with the attempts at the theorems of a split, in the directory of a mining run."""
    return directory / f"attempts-{split}.jsonl"


def mined_files(directory: Path, split: str) -> list[Path]:
    """The files with the mined theorems of a split, in order, of a mining run or of a shard of one."""
    return sorted((directory / "parts").glob(f"mined-{split}-*.jsonl"))
