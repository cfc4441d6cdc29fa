"""A pool of proof environments that run in parallel, each in its own thread.

Threads suffice: the work is done in the provers' processes, and a thread only waits for their pipes. Each
environment is created and used by one thread, and results are returned in the order of the requests, so they
do not depend on timing. An environment replaces its own dead processes; the pool replaces environments after
many steps, because provers leak memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import ParamSpec, TypeVar

from ntp.envs.base import ProofEnv, ProofSession
from ntp.errors import ConfigError, InitError
from ntp.seeding import derive_seed
from ntp.types import Outcome, ProofState, ScriptResult, Theorem, Verdict

P = ParamSpec("P")
R = TypeVar("R")
# What is checked: a proof as a list of tactics, a text.
S = TypeVar("S")


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


class PooledSession:
    """A theorem opened in one of the pool's workers; closing it frees the worker.

    Attributes:
        theorem: The theorem.
        root: Its initial state.
        busy_s: Seconds that the worker has spent on the theorem, including opening it.
    """

    def __init__(self, worker: _Worker, session: ProofSession, opening_s: float) -> None:
        self.theorem = session.theorem
        self.root = session.root
        self.busy_s = opening_s
        self._worker, self._session = worker, session

    @property
    def num_env_steps(self) -> int:
        """Tactics that the prover has run in this session; see `ProofSession`."""
        return self._session.num_env_steps

    @property
    def cpu_s(self) -> float:
        """CPU time of the prover in this session; see `ProofSession`."""
        return self._session.cpu_s

    def submit(self, state: ProofState, tactic: str) -> Future[Outcome]:
        """Queue one tactic on the worker."""
        return self._worker.submit(self._step, state, tactic)

    def _step(self, state: ProofState, tactic: str) -> Outcome:
        started = time.perf_counter()
        try:
            return self._worker.step(self._session, state, tactic)
        finally:
            self.busy_s += time.perf_counter() - started

    def close(self) -> None:
        """Free the worker. Safe to call twice."""
        if self._worker.session is self:
            self._worker.session = None
            self._worker.submit(self._session.close)


class EnvPool:
    """A fixed number of environments behind one interface. Use as a context manager.

    Args:
        make_env: Creates one environment; called in the worker's thread.
        num_workers: Number of environments.
        max_steps_per_process: A worker's environment is replaced, between theorems, after so many steps.

    Attributes:
        num_workers: Number of theorems that can be open at once.

    Raises:
        ConfigError: A count is less than 1.
    """

    def __init__(
        self, make_env: Callable[[], ProofEnv], num_workers: int, max_steps_per_process: int = 20_000
    ) -> None:
        for name, value in (("num_workers", num_workers), ("max_steps_per_process", max_steps_per_process)):
            if value < 1:
                raise ConfigError(f"{name}={value}: must be at least 1")
        self.num_workers = num_workers
        self._workers = [_Worker(make_env, max_steps_per_process) for _ in range(num_workers)]
        self._ahead: dict[Theorem, Future[PooledSession | InitError]] = {}

    def open_many(self, theorems: Sequence[Theorem]) -> list[PooledSession | InitError]:
        """Open theorems in parallel, each in a free worker, if possible one that has its file loaded.

        Raises:
            ValueError: There are more theorems than free workers.
            EnvError: The prover is missing or cannot start.
        """
        jobs = self.submit_opens(theorems)
        try:
            return results_of(jobs)
        except BaseException:
            close_opened(jobs)
            raise

    def submit_opens(self, theorems: Sequence[Theorem]) -> list[Future[PooledSession | InitError]]:
        """As `open_many`, without waiting for the provers; their errors are raised by the futures."""
        new = [theorem for theorem in theorems if theorem not in self._ahead]
        if len(new) > self._num_free:
            kept = {theorem: self._ahead.pop(theorem) for theorem in theorems if theorem in self._ahead}
            self._close_ahead()
            self._ahead = kept
        opened = dict(zip(new, self._submit_new(new), strict=True))
        return [opened.get(theorem) or self._ahead.pop(theorem) for theorem in theorems]

    def open_ahead(self, theorems: Sequence[Theorem]) -> None:
        """Begin to open theorems that later calls will ask for, as many as there are free workers.

        They are closed if their workers are needed for others.
        """
        new = [theorem for theorem in theorems if theorem not in self._ahead][: self._num_free]
        self._ahead.update(zip(new, self._submit_new(new), strict=True))

    def step_many(self, requests: Sequence[tuple[PooledSession, ProofState, str]]) -> list[Outcome]:
        """Run tactics: in parallel over the sessions, in order within a session."""
        return results_of([session.submit(state, tactic) for session, state, tactic in requests])

    def check_proofs(self, proofs: Sequence[tuple[Theorem, Sequence[str]]]) -> list[Verdict | InitError]:
        """Check complete proofs, each replayed from its theorem's clean initial state.

        Raises:
            ValueError: A session is open.
            EnvError: The prover is missing or cannot start.
        """
        return self.each(proofs, lambda env, theorem, tactics: env.check_proof(theorem, tactics))

    def check_scripts(
        self,
        scripts: Sequence[tuple[Theorem, str]],
        on_checked: Callable[[], None] = lambda: None,
    ) -> list[ScriptResult | InitError]:
        """Check whole scripts; see `ProofEnv.check_script`.

        Args:
            scripts: Each with its theorem.
            on_checked: Called after each, in a worker's thread.

        Raises:
            ValueError: A session is open.
            EnvError: The prover is missing or cannot start.
        """

        def check(env: ProofEnv, theorem: Theorem, text: str) -> ScriptResult:
            try:
                return env.check_script(theorem, text)
            finally:
                on_checked()

        return self.each(scripts, check)

    def each(
        self, proofs: Sequence[tuple[Theorem, S]], check: Callable[[ProofEnv, Theorem, S], R]
    ) -> list[R | InitError]:
        """Do something with every theorem in a worker, those of a file in the same one if possible.

        Args:
            proofs: Theorems, each with what is done something with: a script, or the result of one.
            check: What is done, in the worker's thread, with the worker's environment.

        Raises:
            ValueError: A session is open.
            EnvError: The prover is missing or cannot start.
        """
        self._close_ahead()
        if self._num_free < self.num_workers:
            raise ValueError("checking proofs needs every worker: close all sessions first")
        by_theorem: dict[Theorem, list[tuple[int, S]]] = {}
        for index, (theorem, proof) in enumerate(proofs):
            by_theorem.setdefault(theorem, []).append((index, proof))
        lanes = plan_lanes(list(by_theorem), self.num_workers)
        jobs = [
            worker.submit(worker.check, {theorem: by_theorem[theorem] for theorem in lane}, check)
            for worker, lane in zip(self._workers, lanes, strict=True)
        ]
        checked = dict(pair for lane in results_of(jobs) for pair in lane)
        return [checked[index] for index in range(len(proofs))]

    def close(self) -> None:
        """End every process after the calls that are running. Safe to call twice."""
        self._ahead = {}
        for worker in self._workers:
            worker.begin_close()
        for worker in self._workers:
            worker.end_close()

    def __enter__(self) -> EnvPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _num_free(self) -> int:
        return sum(worker.is_free for worker in self._workers)

    def _close_ahead(self) -> None:
        ahead, self._ahead = self._ahead, {}
        close_opened(list(ahead.values()))

    def _submit_new(self, theorems: Sequence[Theorem]) -> list[Future[PooledSession | InitError]]:
        workers = self._assign(theorems)
        return [w.submit_open(theorem) for w, theorem in zip(workers, theorems, strict=True)]

    def _assign(self, theorems: Sequence[Theorem]) -> list[_Worker]:
        free = [worker for worker in self._workers if worker.is_free]
        if len(theorems) > len(free):
            raise ValueError(f"cannot open {len(theorems)} theorems with {len(free)} free workers")
        assigned: dict[int, _Worker] = {}
        for index, theorem in enumerate(theorems):
            loaded = [worker for worker in free if worker.file == theorem.file]
            if loaded:
                best = min(loaded, key=lambda worker: _seek_cost(theorem, worker.position))
                free.remove(best)
                assigned[index] = best
        # Workers without a file first: a loaded file may be needed again.
        free.sort(key=lambda worker: bool(worker.file))
        for index in range(len(theorems)):
            if index not in assigned:
                assigned[index] = free.pop(0)
        return [assigned[index] for index in range(len(theorems))]


class _Worker:
    """One environment and the thread that uses it."""

    def __init__(self, make_env: Callable[[], ProofEnv], max_steps: int) -> None:
        self.session: PooledSession | None = None
        self._is_opening = False
        self.file = ""
        self.position = 0
        self._make_env, self._max_steps = make_env, max_steps
        self._env: ProofEnv | None = None
        self._num_steps = 0
        self._thread = ThreadPoolExecutor(max_workers=1)

    def submit(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Queue a call on the worker's thread, the only thread that uses the environment."""
        return self._thread.submit(call, *args, **kwargs)

    @property
    def is_free(self) -> bool:
        """Whether no theorem is open in it, nor about to be."""
        return self.session is None and not self._is_opening

    def submit_open(self, theorem: Theorem) -> Future[PooledSession | InitError]:
        """Queue the opening of a theorem; the worker is not free any more."""
        self._is_opening = True
        self.file, self.position = theorem.file, theorem.declaration.begin
        return self.submit(self._open, theorem)

    def _open(self, theorem: Theorem) -> PooledSession | InitError:
        started = time.perf_counter()
        try:
            session = self._fresh_env().open(theorem)
            self.session = PooledSession(self, session, time.perf_counter() - started)
        except InitError as error:
            return error
        finally:
            self._is_opening = False
        return self.session

    def step(self, session: ProofSession, state: ProofState, tactic: str) -> Outcome:
        """Run one tactic; in the worker's thread only."""
        self._num_steps += 1
        return session.step(state, tactic)

    def check(
        self,
        proofs: Mapping[Theorem, Sequence[tuple[int, S]]],
        check: Callable[[ProofEnv, Theorem, S], R],
    ) -> list[tuple[int, R | InitError]]:
        """Results with the index of their request, one theorem after the other."""
        results: list[tuple[int, R | InitError]] = []
        for theorem, scripts in proofs.items():
            self.file = theorem.file
            for index, script in scripts:
                self._num_steps += _num_sentences(script)
                try:
                    results.append((index, check(self._fresh_env(), theorem, script)))
                except InitError as error:
                    results.append((index, error))
        return results

    def begin_close(self) -> None:
        """Forget what is queued."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def end_close(self) -> None:
        """Wait for what is running and end the environment."""
        self._thread.shutdown(wait=True)
        self._close_env()

    def _fresh_env(self) -> ProofEnv:
        if self._num_steps >= self._max_steps:
            self._close_env()
        if self._env is None:
            self._env = self._make_env()
            self._num_steps = 0
        return self._env

    def _close_env(self) -> None:
        if self._env is not None:
            self._env.close()
            self._env = None


def _num_sentences(script: object) -> int:
    """About how many sentences running it takes: a text has as many as lines."""
    if isinstance(script, str):
        return script.count("\n") + 1
    return len(script) if isinstance(script, Sequence) else 1


def results_of(jobs: Sequence[Future[R]]) -> list[R]:
    """The results of all jobs, in order; an error of one is raised when all have ended."""
    # Wait for all before one may raise, so that no call is still running when the caller sees the error.
    wait(jobs)
    return [job.result() for job in jobs]


def close_opened(jobs: Sequence[Future[PooledSession | InitError]]) -> None:
    """Wait for theorems that are being opened, and close them."""
    for job in jobs:
        session = None if job.exception() else job.result()
        if isinstance(session, PooledSession):
            session.close()


def _seek_cost(theorem: Theorem, position: int) -> tuple[bool, int]:
    """Sort key: going back from `position` to the theorem costs nothing, going forward replays the file."""
    distance = theorem.declaration.begin - position
    return distance > 0, abs(distance)
