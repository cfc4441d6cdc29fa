"""How an array of shards scales, simulated from recorded costs: no prover, no model.

A library of 12,000 theorems is drawn from the recording (`record_costs.py`): files with replacement, and in
each file theorems with replacement, so that neighbours stay alike. It is cut into shards by `ntp`'s own code,
by three beliefs about costs:

    equal      every theorem costs the same
    expected   the estimate that shards are cut by when nothing is known
    recorded   the times of an earlier run, each off by a factor of about exp(+-0.2)

A worker takes a shard at a time: it starts, replays each file up to the shard's last theorem in it, and
searches. Efficiency is the time of one worker over that of W workers times W, the median of libraries drawn.
`finer` has four shards a worker, taken as workers come free; `slow` has 2 % of workers at half speed.

    python experiments/bench/array_scaling.py
"""

from __future__ import annotations

import heapq
import json
import random
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median

from _costs import FIXTURE, RecordedCost, Recording, read_recording

from ntp.evaluation.costs import Cost, expected_cost
from ntp.workflow.shards import cut

NUM_THEOREMS, NUM_FILES = 12_000, 560  # about the standard library
NUM_WORKERS = (1, 10, 100, 1000)
NUM_LIBRARIES = 9
NUM_FINER = 4
SLOW_SHARE, SLOW_SPEED = 0.02, 0.5
ERROR_OF_RECORD = 0.2
SEED = 0

Beliefs = Callable[[Sequence[RecordedCost]], list[Cost]]


def draw_library(recorded: Sequence[RecordedCost], rng: random.Random) -> list[RecordedCost]:
    """Theorems of files that are drawn from the recorded ones, each in order of its file."""
    by_file: dict[str, list[RecordedCost]] = defaultdict(list)
    for theorem in recorded:
        by_file[theorem.file].append(theorem)
    chosen = [rng.choice(list(by_file.values())) for _ in range(NUM_FILES)]
    growth = NUM_THEOREMS / sum(map(len, chosen))
    library: list[RecordedCost] = []
    for number, file in enumerate(chosen):
        drawn = rng.choices(file, k=max(1, round(growth * len(file))))
        drawn.sort(key=lambda theorem: theorem.begin)
        library += [replace(theorem, file=f"{theorem.file} {number}") for theorem in drawn]
    return library


def beliefs_of(recording: Recording, rng: random.Random) -> dict[str, Beliefs]:
    """By name, what is believed of a library's costs."""

    def equal(library: Sequence[RecordedCost]) -> list[Cost]:
        return [Cost(1.0) for _ in library]

    def expected(library: Sequence[RecordedCost]) -> list[Cost]:
        return [expected_cost(t.file, t.begin, t.state_chars, recording.num_tactics) for t in library]

    def recorded(library: Sequence[RecordedCost]) -> list[Cost]:
        # As a run records it: replaying the file from the theorem before is in a theorem's time.
        before = [0.0, *(a.replay_s if a.file == b.file else 0.0 for a, b in pairwise(library))]
        seconds = [t.search_s + t.replay_s - replayed for t, replayed in zip(library, before, strict=True)]
        return [Cost(max(s, 1e-3) * rng.lognormvariate(0, ERROR_OF_RECORD)) for s in seconds]

    return {"equal": equal, "expected": expected, "recorded": recorded}


def shard_seconds(library: Sequence[RecordedCost], positions: Sequence[int], startup_s: float) -> list[float]:
    """What each shard takes a worker of full speed."""
    seconds = []
    for begin, end in pairwise(positions):
        theorems = library[begin:end]
        replays = {theorem.file: theorem.replay_s for theorem in theorems}  # the last of each file stays
        seconds.append(startup_s + sum(t.search_s for t in theorems) + sum(replays.values()))
    return seconds


def makespan(seconds: Sequence[float], speeds: Sequence[float]) -> float:
    """When the last of some shards is done, if workers take them in order as they come free."""
    free = [(0.0, -speed) for speed in speeds]
    heapq.heapify(free)
    last = 0.0
    for duration in seconds:
        at, slowness = heapq.heappop(free)
        done = at + duration / -slowness
        last = max(last, done)
        heapq.heappush(free, (done, slowness))
    return last


def efficiencies(recording: Recording, seed: int) -> dict[str, float]:
    """Of every belief, number of workers and variant, on one library."""
    rng = random.Random(seed)
    library = draw_library(recording.theorems, rng)
    (alone,) = shard_seconds(library, [0, len(library)], recording.startup_s)
    speeds_of = {
        workers: [SLOW_SPEED if rng.random() < SLOW_SHARE else 1.0 for _ in range(workers)]
        for workers in NUM_WORKERS
    }
    found = {}
    for name, believe in beliefs_of(recording, rng).items():
        costs = believe(library)
        for workers in NUM_WORKERS:
            one_each = shard_seconds(library, cut(costs, workers), recording.startup_s)
            finer = shard_seconds(library, cut(costs, NUM_FINER * workers), recording.startup_s)
            steady, slow = [1.0] * workers, speeds_of[workers]
            for variant, seconds, speeds in (
                ("", one_each, steady),
                ("_finer", finer, steady),
                ("_slow", one_each, slow),
                ("_slow_finer", finer, slow),
            ):
                found[f"{name}{variant}_{workers}"] = alone / (makespan(seconds, speeds) * workers)
    return found


def main() -> None:
    if not FIXTURE.exists():
        sys.exit(f"{FIXTURE} is missing: record_costs.py makes it")
    recording = read_recording()
    drawn = [efficiencies(recording, SEED + number) for number in range(NUM_LIBRARIES)]
    figures = {name: round(median(one[name] for one in drawn), 3) for name in drawn[0]}
    most = max(NUM_WORKERS)
    ratios = {
        f"{name}_over_equal": round(figures[f"{name}_{most}"] / figures[f"equal_{most}"], 3)
        for name in ("expected", "recorded")
    }
    print(json.dumps({"bench": "array_scaling", "ratios": ratios, "figures": figures}))


if __name__ == "__main__":
    main()
