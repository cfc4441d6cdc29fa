"""The order in which theorems are visited: a prover loads a file once and goes through it last to first."""

from __future__ import annotations

from collections.abc import Sequence

from ntp.seeding import derive_seed
from ntp.types import Theorem


def plan_lanes(theorems: Sequence[Theorem], num_lanes: int, seed: int | None = None) -> list[list[Theorem]]:
    """Distribute theorems over lanes of nearly equal length, each with few files.

    The theorems of a file, last first, are cut into runs no longer than the mean lane. The runs, longest
    first, are each given to the shortest lane. A prover that follows a lane loads a file about once per run.

    Args:
        theorems: The theorems to visit.
        num_lanes: Number of lanes, one per prover process.
        seed: Shuffles the runs within every lane; None keeps the longest run first.
    """
    by_file: dict[str, list[Theorem]] = {}
    for theorem in theorems:
        by_file.setdefault(theorem.file, []).append(theorem)
    longest = max(1, -(-len(theorems) // num_lanes))
    runs: list[list[Theorem]] = []
    for file in sorted(by_file):
        last_first = sorted(by_file[file], key=lambda t: t.declaration.begin, reverse=True)
        runs += [last_first[i : i + longest] for i in range(0, len(last_first), longest)]
    runs.sort(key=len, reverse=True)
    lanes: list[list[list[Theorem]]] = [[] for _ in range(num_lanes)]
    for run in runs:
        min(lanes, key=lambda lane: sum(map(len, lane))).append(run)
    if seed is not None:
        for lane in lanes:
            lane.sort(key=lambda run: derive_seed(seed, run[0].id))
    return [[theorem for run in lane for theorem in run] for lane in lanes]


def seek_cost(theorem: Theorem, position: int) -> tuple[bool, int]:
    """Sort key: going back from `position` to the theorem costs nothing, going forward replays the file."""
    distance = theorem.declaration.begin - position
    return distance > 0, abs(distance)
