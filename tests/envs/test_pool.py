import contextlib
import functools
import random
import threading
import time
from collections.abc import Sequence
from itertools import groupby

import psutil
import pytest

from ntp.envs.coq.env import CoqEnv
from ntp.envs.pool import EnvPool, PooledSession
from ntp.errors import ConfigError, EnvError, InitError
from ntp.types import (
    Goal,
    ProofState,
    Proved,
    Reached,
    Span,
    TacticError,
    Theorem,
    Verdict,
)


class CountingSession:
    """Counts down from the number in the theorem's statement."""

    def __init__(self, env: "CountingEnv", theorem: Theorem) -> None:
        self.theorem, self.env = theorem, env
        self.num_env_steps = 0
        self.root = ProofState(int(theorem.statement), Goal((), theorem.statement))

    def step(self, state: ProofState, tactic: str) -> Proved | Reached | TacticError:
        assert threading.get_ident() == self.env.thread
        self.num_env_steps += 1
        time.sleep(0.001 * state.handle)
        left = state.handle - len(tactic)
        if left < 0:
            return TacticError(tactic)
        return Reached(ProofState(left, Goal((), str(left)))) if left else Proved()

    def close(self) -> None:
        self.env.num_closed_sessions += 1


class CountingEnv:
    made: list["CountingEnv"]

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.opened: list[Theorem] = []
        self.num_closed = self.num_closed_sessions = 0
        type(self).made.append(self)

    def open(self, theorem: Theorem) -> CountingSession:
        if theorem.statement == "broken":
            raise EnvError("broken")
        if not theorem.statement.isdigit():
            raise InitError(f"unknown theorem {theorem.id}")
        self.opened.append(theorem)
        return CountingSession(self, theorem)

    def check_proof(self, theorem: Theorem, tactics: Sequence[str]) -> Verdict:
        session = self.open(theorem)
        left = int(theorem.statement) - sum(map(len, tactics))
        return Verdict(left == 0, "" if left == 0 else str(left), (session.theorem.file,))

    def close(self) -> None:
        self.num_closed += 1


def theorem(statement: str, file: str = "A.v", begin: int = 0) -> Theorem:
    return Theorem(f"{file}:{begin}", file, statement, Span(begin, begin + 1), Span(begin + 1, begin + 2))


@pytest.fixture
def envs():
    CountingEnv.made = []
    return CountingEnv.made


def test_results_come_in_the_order_of_the_requests(envs):
    with EnvPool(CountingEnv, 3) as pool:
        sessions = pool.open_many([theorem(str(n), f"{n}.v") for n in (9, 2, 5)])
        requests = [(s, s.root, "x" * k) for k in (1, 2, 5) for s in sessions]
        expected = [s.root.handle - k for k in (1, 2, 5) for s in sessions]
        outcomes = pool.step_many(requests)
        for outcome, left in zip(outcomes, expected, strict=True):
            if left > 0:
                assert isinstance(outcome, Reached) and outcome.state.handle == left
            else:
                assert outcome == (Proved() if left == 0 else TacticError("xxxxx"))
        assert [session.num_env_steps for session in sessions] == [3, 3, 3]
    assert len(envs) == 3 and all(env.num_closed == 1 for env in envs)


def test_a_file_goes_to_the_worker_that_has_it(envs):
    with EnvPool(CountingEnv, 2) as pool:
        for _ in range(3):
            for order in (("A.v", "B.v"), ("B.v", "A.v")):
                for session in pool.open_many([theorem("3", file) for file in order]):
                    session.close()
    assert sorted({t.file for t in env.opened} == {"A.v"} for env in envs) == [False, True]


def test_more_theorems_than_free_workers(envs):
    with EnvPool(CountingEnv, 2) as pool:
        (first,) = pool.open_many([theorem("3")])
        with pytest.raises(ValueError, match="2 theorems with 1 free"):
            pool.open_many([theorem("4"), theorem("5")])
        with pytest.raises(ValueError, match="close all sessions first"):
            pool.check_proofs([])
        first.close()
        first.close()
        assert len(pool.open_many([theorem("4"), theorem("5")])) == 2


def test_theorems_that_do_not_open_are_values_and_leave_the_worker_free(envs):
    with EnvPool(CountingEnv, 2) as pool:
        bad, good = pool.open_many([theorem("no"), theorem("3", "B.v")])
        assert isinstance(bad, InitError) and isinstance(good, PooledSession)
        (again,) = pool.open_many([theorem("2")])
        assert isinstance(again, PooledSession)


def test_theorems_opened_ahead_are_handed_over(envs):
    with EnvPool(CountingEnv, 2) as pool:
        pool.open_ahead([theorem("3"), theorem("4", "B.v"), theorem("5")])
        asked = [theorem("4", "B.v"), theorem("3")]
        assert [session.theorem for session in pool.open_many(asked)] == asked
    assert sorted(t.statement for env in envs for t in env.opened) == sorted(t.statement for t in asked)


def test_theorems_opened_ahead_make_way_for_others(envs):
    with EnvPool(CountingEnv, 2) as pool:
        pool.open_ahead([theorem("3"), theorem("broken", "B.v")])
        asked = [theorem("4"), theorem("3")]
        sessions = pool.open_many(asked)
        assert [session.theorem for session in sessions] == asked
        for session in sessions:
            session.close()
        pool.open_ahead([theorem("5")])
        assert pool.check_proofs([]) == []
        assert len(pool.open_many([theorem("6"), theorem("7")])) == 2


def test_broken_infrastructure_raises_and_frees_the_workers(envs):
    with EnvPool(CountingEnv, 2) as pool:
        with pytest.raises(EnvError, match="broken"):
            pool.open_many([theorem("3"), theorem("broken", "B.v")])
        assert len(pool.open_many([theorem("3"), theorem("4")])) == 2


def test_verdicts_come_in_order_and_files_are_read_backwards(envs):
    proofs = [(theorem(str(n), f"{n % 2}.v", begin=n), ["x"] * (n - n // 7)) for n in range(1, 20)]
    proofs.insert(5, (theorem("no", "1.v", begin=99), []))
    proofs += [(proofs[0][0], ["xx"]), (proofs[0][0], ["x"])]
    with EnvPool(CountingEnv, 2) as pool:
        verdicts = pool.check_proofs(proofs)
        assert pool.check_proofs([]) == []
    assert isinstance(verdicts.pop(5), InitError)
    del proofs[5]
    for (claim, tactics), verdict in zip(proofs, verdicts, strict=True):
        assert isinstance(verdict, Verdict)
        assert verdict.accepted == (int(claim.statement) == sum(map(len, tactics)))
        assert verdict.axioms == (claim.file,)
    for env in envs:
        visits = [(t.file, t.declaration.begin) for t in env.opened]
        for file in {file for file, _ in visits}:
            begins = [begin for name, begin in visits if name == file]
            assert begins == sorted(begins, reverse=True)
        # Each file is one visit: a worker that leaves it does not come back.
        assert len([file for file, _ in groupby(visits, key=lambda visit: visit[0])]) <= 2


def test_workers_are_replaced_between_theorems(envs):
    with EnvPool(CountingEnv, 1, max_steps_per_process=3) as pool:
        for _ in range(4):
            (session,) = pool.open_many([theorem("9")])
            pool.step_many([(session, session.root, "x")] * 2)
            session.close()
    assert len(envs) == 2 and [env.num_closed for env in envs] == [1, 1]


@pytest.mark.parametrize("counts", [(0, 1), (-1, 1), (1, 0)])
def test_counts_must_be_positive(envs, counts):
    with pytest.raises(ConfigError, match="must be at least 1"):
        EnvPool(CountingEnv, *counts)


def descendants(recursive: bool = True) -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=recursive))


def explore(pool: EnvPool, found, after_steps=lambda: None) -> list[str]:
    """Everything that a fixed little search sees, proofs re-verified."""
    seen: list[str] = []
    for batch in (found[i : i + pool.num_workers] for i in range(0, len(found), pool.num_workers)):
        sessions = pool.open_many([theorem for theorem, _ in batch])
        states = [session.root for session in sessions]
        scripts = [tactics for _, tactics in batch]
        for depth in range(max(map(len, scripts))):
            live = [i for i, script in enumerate(scripts) if depth < len(script)]
            steps = [(i, text) for i in live for text in ("auto.", "exact I.", "split.", scripts[i][depth])]
            outcomes = pool.step_many([(sessions[i], states[i], text) for i, text in steps])
            after_steps()
            for (i, text), outcome in zip(steps, outcomes, strict=True):
                reached = isinstance(outcome, Reached)
                seen.append(f"{i} {text} {outcome.state.key if reached else outcome}")
                if reached and text == scripts[i][depth]:
                    states[i] = outcome.state
        for session in sessions:
            session.close()
    seen += map(str, pool.check_proofs([(theorem, tactics) for theorem, tactics in found]))
    return seen


@pytest.mark.coq
def test_processes_killed_at_random_change_no_result(stdlib, proofs):
    found = [p for p in proofs("Sets/Powerset_facts.v", stdlib.read("Sets/Powerset_facts.v"))[:8] if p[1]]
    found += proofs("Bool/Bool.v", stdlib.read("Bool/Bool.v"))[:8]
    # No tactic takes long, and none may be lost to a machine that stood still for a moment.
    make_env = functools.partial(CoqEnv, stdlib, 60)
    before = descendants()
    started = time.monotonic()
    with EnvPool(make_env, 2) as pool:
        calm = explore(pool, found)
    calm_s = time.monotonic() - started
    assert sum(text.startswith("Verdict(accepted=True") for text in calm) == len(found)
    stop, num_killed, num_steps = threading.Event(), 0, 0

    def count_steps() -> None:
        nonlocal num_steps
        num_steps += 1

    def kill_now_and_then() -> None:
        nonlocal num_killed
        draw, num_steps_before = random.Random(0), -2
        while not stop.wait(calm_s * draw.uniform(0.1, 0.5)):
            # A tactic is tried twice: until those under way and the next have come to their end, which bring
            # the provers back, none dies again.
            if num_steps < num_steps_before + 2:
                continue
            # A prover dies as well with any of those that make its sandbox.
            for outermost in descendants(recursive=False) - before:
                if draw.random() < 0.7:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        draw.choice([outermost, *outermost.children(recursive=True)]).kill()
                        num_killed += 1
            num_steps_before = num_steps

    killer = threading.Thread(target=kill_now_and_then)
    killer.start()
    try:
        with EnvPool(make_env, 2) as pool:
            stormy = [explore(pool, found, count_steps) for _ in range(4)]
            # A fast machine is through before enough has been killed.
            while num_killed <= 5 and len(stormy) < 60:
                stormy.append(explore(pool, found, count_steps))
    finally:
        stop.set()
        killer.join()
    assert num_killed > 5
    different = [pair for seen in stormy for pair in zip(seen, calm, strict=True) if pair[0] != pair[1]]
    assert different == []


@pytest.mark.coq
def test_no_process_is_left_behind(stdlib, proofs):
    found = proofs("Bool/Bool.v", stdlib.read("Bool/Bool.v"))
    before = descendants()
    with pytest.raises(KeyboardInterrupt), EnvPool(functools.partial(CoqEnv, stdlib), 2) as pool:
        pool.open_many([found[0][0], found[1][0]])
        assert [process.name() for process in descendants() - before].count("coqidetop.opt") == 2
        raise KeyboardInterrupt
    assert descendants() <= before
    pool.close()
