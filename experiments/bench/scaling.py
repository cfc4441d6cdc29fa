"""What two processes gain over one on the same evaluation: shards on a machine of two cores.

Best-first search of the same theorems by one process, and by two that have the shards 0/2 and 1/2 as an
evaluation cuts them. Each process has one thread and one prover; the sides take turns. Processes are started
and warm before: what a start costs is told apart.

The policy has random weights and draws tactics as long as real ones. Every second one is replaced by a tactic
that often works, so that searches get beyond the first state.

    python experiments/bench/scaling.py
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from statistics import median

import torch
from _timing import interleaved_medians
from _trajectories import all_texts
from coq_env import read_proofs

from ntp.data.records import TheoremRecord
from ntp.envs.coq.factory import CoqEnvFactory
from ntp.envs.coq.project import standard_library
from ntp.envs.pool import EnvPool
from ntp.evaluation.costs import expected_costs
from ntp.policy.factory import TinyPolicyFactory
from ntp.policy.policy import TacticPolicy
from ntp.policy.prompt import SampleRequest
from ntp.search.best_first import BestFirstSearch
from ntp.search.driver import search_theorems
from ntp.search.interface import Budget
from ntp.seeding import derive_seed
from ntp.types import ProofState, Tactic, Theorem
from ntp.workflow.shards import Shard

FILES = ("Bool/Bool.v", "Lists/ListSet.v", "Relations/Operators_Properties.v", "Sets/Powerset_facts.v")
THEOREMS_PER_FILE = 8
SAMPLES_PER_EXPANSION, NUM_TACTICS = 8, 96
NUM_TACTIC_TOKENS = 16
NUM_ROUNDS = 5
OFTEN_WORK = ("intros.", "simpl.", "split.", "intuition.", "constructor.", "unfold not.", "red.", "left.")


class HalfRandom:
    """A policy whose every second tactic is one that often works."""

    def __init__(self, policy: TacticPolicy) -> None:
        self._policy = policy

    def sample(self, requests: Sequence[SampleRequest]) -> list[list[Tactic]]:
        """One tactic per draw of every request; all of them are drawn from the policy first."""
        rows = self._policy.sample(requests)
        for request, row in zip(requests, rows, strict=True):
            for i, draw in enumerate(request.draws[::2]):
                # As likely as a trained policy has it: else no search would leave the first state.
                text = OFTEN_WORK[draw.seed % len(OFTEN_WORK)]
                row[2 * i] = replace(row[2 * i], text=text, log_prob=-1.0)
        return rows


class Worker:
    """A process that searches its shard each time it is told to."""

    def __init__(self, shard: Shard) -> None:
        spawn = get_context("spawn")
        self._connection, other = spawn.Pipe()
        spawn.Process(target=_serve, args=(shard, other), daemon=True).start()
        started = time.perf_counter()
        self.wait()
        self.startup_s = time.perf_counter() - started

    def begin(self) -> None:
        self._connection.send(None)

    def wait(self) -> float:
        """Seconds of the search."""
        return self._connection.recv()


def _serve(shard: Shard, connection: Connection) -> None:
    torch.set_num_threads(1)
    policy = HalfRandom(TinyPolicyFactory(max_tactic_tokens=NUM_TACTIC_TOKENS).create(all_texts()))
    theorems = read_theorems()
    records = [TheoremRecord(theorem, "coq", "", "", "Qed", ()) for theorem in theorems]
    mine = theorems[shard.of(expected_costs(records, NUM_TACTICS))]
    connection.send(0.0)
    while _is_asked(connection):
        started = time.perf_counter()
        with EnvPool(CoqEnvFactory(), 1) as pool:
            search_theorems(mine, make_search, policy, pool)
        connection.send(time.perf_counter() - started)


def _is_asked(connection: Connection) -> bool:
    try:
        connection.recv()
    except EOFError:  # the bench has ended
        return False
    return True


def make_search(theorem: Theorem, root: ProofState) -> BestFirstSearch:
    return BestFirstSearch(
        theorem,
        root,
        Budget(NUM_TACTICS),
        SAMPLES_PER_EXPANSION,
        expansion_price=1.0,
        length_exponent=0.0,
        max_depth=16,
        temperature=1.0,
        seed=derive_seed(0, theorem.id),
    )


def read_theorems() -> list[Theorem]:
    """Some theorems of every file, from its start to its end."""
    project, found = standard_library(), []
    for file in FILES:
        theorems = [proof.theorem for proof in reversed(read_proofs(project, file))]
        found += theorems[:: max(1, len(theorems) // THEOREMS_PER_FILE)][:THEOREMS_PER_FILE]
    return found


def main() -> None:
    whole, halves = Worker(Shard(0, 1)), [Worker(Shard(i, 2)) for i in range(2)]
    shares: list[float] = []

    def run_all(workers: Sequence[Worker]) -> None:
        for worker in workers:
            worker.begin()
        seconds = [worker.wait() for worker in workers]
        if len(workers) > 1:
            shares.append(max(seconds) * len(seconds) / sum(seconds))

    runs = {"one": lambda: run_all([whole]), "two": lambda: run_all(halves)}
    seconds = interleaved_medians(runs, NUM_ROUNDS)
    figures = {
        **{f"{name}_process_s": round(value, 2) for name, value in seconds.items()},
        "slower_over_mean": round(median(shares), 3),
        "startup_s": round(median(worker.startup_s for worker in (whole, *halves)), 2),
        "theorems": len(read_theorems()),
    }
    ratios = {"speedup": round(seconds["one"] / seconds["two"], 3)}
    print(json.dumps({"bench": "scaling", "ratios": ratios, "figures": figures}))


if __name__ == "__main__":
    main()
