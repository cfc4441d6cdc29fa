"""Record what theorems of an evaluation cost: the fixture of `array_scaling.py`.

A supervised policy searches held-out theorems by sampling and by best-first search, in one process with
the default number of provers. `cost_s` of a search is what is due to its theorem; the time of opening it is
taken off, since it depends on where shards are cut, and stands for itself: the seconds in which a fresh
prover gets to the theorem. So do the seconds in which a process gets a policy, the start of Python included.

    python -m ntp.run +experiment=sft       # prints POLICY; the DATASET is in its log
    python experiments/bench/record_costs.py DATASET POLICY [key=value ...]     # as for search_eval
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import psutil
import torch
from _costs import FIXTURE, RecordedCost, Recording, write_recording

from ntp.config.register import compose_config
from ntp.data.dataset import Dataset
from ntp.data.records import TheoremRecord
from ntp.envs.coq.factory import CoqEnvFactory
from ntp.envs.pool import EnvPool, PooledSession
from ntp.errors import InitError
from ntp.search.driver import search_theorems
from ntp.tasks.builders import best_first_search, load_policy, sampling_search
from ntp.tasks.selection import num_tactics, sample_theorems
from ntp.types import Theorem


class TimedPool(EnvPool):
    """A pool that notes what is charged for opening each theorem."""

    def __init__(self, *arguments, **options) -> None:
        super().__init__(*arguments, **options)
        self.opening_s: dict[str, float] = {}

    def open_many(self, theorems: Sequence[Theorem]) -> list[PooledSession | InitError]:
        started = time.perf_counter()
        sessions = super().open_many(theorems)
        seconds = time.perf_counter() - started
        opened = [session for session in sessions if isinstance(session, PooledSession)]
        total = sum(session.busy_s for session in opened)
        for session in opened:
            self.opening_s[session.theorem.id] = seconds * session.busy_s / total
        return sessions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("policy", type=Path)
    parser.add_argument("overrides", nargs="*")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cfg = compose_config(["+experiment=search_eval", *arguments.overrides])
    policy = load_policy(cfg, arguments.policy)
    startup_s = time.time() - psutil.Process().create_time()
    dataset = Dataset.load(arguments.dataset)
    records = sample_theorems(cfg, dataset, "test", cfg.evaluation.max_theorems)
    theorems = [record.theorem for record in records]
    costs: dict[str, list[float]] = defaultdict(list)
    for make_search in (
        sampling_search(cfg.search.sampling, cfg.seed),
        best_first_search(cfg.search.best_first, cfg.seed),
    ):
        pool = TimedPool(CoqEnvFactory(), cfg.env.num_workers)
        with pool:
            for search in search_theorems(theorems, make_search, policy, pool):
                if not isinstance(search, InitError):
                    name = search.theorem.id
                    costs[name].append(max(0.0, search.usage.cost_s - pool.opening_s[name]))
    replay_s = replay_seconds(records)
    found = [
        RecordedCost(
            record.theorem.file,
            record.theorem.declaration.begin,
            len(record.steps[0].state),
            round(sum(costs[record.theorem.id]), 3),
            round(replay_s[record.theorem.id], 3),
        )
        for record in records
        if record.theorem.id in costs
    ]
    write_recording(Recording(arguments.overrides, num_tactics(cfg.search), round(startup_s, 1), found))
    print(f"{FIXTURE}: {len(found)} theorems")


def replay_seconds(records: Sequence[TheoremRecord]) -> dict[str, float]:
    """How long a fresh prover takes to a theorem: measured for each file's last, in proportion before."""
    last = {record.theorem.file: record.theorem for record in records}
    seconds = {}
    for file, theorem in last.items():
        env = CoqEnvFactory()()
        started = time.perf_counter()
        env.open(theorem)
        seconds[file] = time.perf_counter() - started
        env.close()
    begins = {file: max(1, theorem.declaration.begin) for file, theorem in last.items()}
    return {
        t.id: seconds[t.file] * t.declaration.begin / begins[t.file] for t in (r.theorem for r in records)
    }


if __name__ == "__main__":
    main()
