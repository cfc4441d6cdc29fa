"""In which order provers should visit theorems: a file is loaded once and read from its end to its start."""

from __future__ import annotations

from collections.abc import Sequence

from ntp.seeding import derive_seed
from ntp.types import Theorem


def plan_lanes(theorems: Sequence[Theorem], num_lanes: int, seed: int | None = None) -> list[list[Theorem]]:
    """Share theorems out to lanes of nearly equal length, each visiting few files, last theorem first.

    A file's theorems are cut into runs no longer than the mean lane, and runs go, longest first, to the
    shortest lane. A prover that follows a lane loads a file about once per run.

    Args:
        theorems: What to visit.
        num_lanes: One lane per prover process.
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
