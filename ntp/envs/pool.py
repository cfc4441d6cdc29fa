"""A pool of proof environments that run in parallel, each in its own thread.

Threads suffice: the work is done in the provers' processes, and a thread only waits for their pipes. Each
environment is created and used by one thread, and results are returned in the order of the requests, so they
do not depend on timing. An environment replaces its own dead processes; the pool replaces environments after
many steps, because provers leak memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from typing import TypeVar

from ntp.envs.base import ProofEnv
from ntp.envs.schedule import plan_lanes, seek_cost
from ntp.envs.worker import PooledSession, Worker
from ntp.errors import ConfigError, InitError
from ntp.types import Outcome, ProofState, ScriptResult, Theorem, Verdict

R = TypeVar("R")
# A proof as a list of tactics, or as a text.
S = TypeVar("S", bound=Sequence[str])


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
        self._workers = [Worker(make_env, max_steps_per_process) for _ in range(num_workers)]
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
        return self._check(proofs, lambda env, theorem, tactics: env.check_proof(theorem, tactics))

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

        return self._check(scripts, check)

    def _check(
        self, proofs: Sequence[tuple[Theorem, S]], check: Callable[[ProofEnv, Theorem, S], R]
    ) -> list[R | InitError]:
        """Check proofs theorem by theorem, those of a file by one worker as far as possible."""
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

    def _assign(self, theorems: Sequence[Theorem]) -> list[Worker]:
        free = [worker for worker in self._workers if worker.is_free]
        if len(theorems) > len(free):
            raise ValueError(f"cannot open {len(theorems)} theorems with {len(free)} free workers")
        assigned: dict[int, Worker] = {}
        for index, theorem in enumerate(theorems):
            loaded = [worker for worker in free if worker.file == theorem.file]
            if loaded:
                best = min(loaded, key=lambda worker: seek_cost(theorem, worker.position))
                free.remove(best)
                assigned[index] = best
        # Workers without a file first: a loaded file may be needed again.
        free.sort(key=lambda worker: bool(worker.file))
        for index in range(len(theorems)):
            if index not in assigned:
                assigned[index] = free.pop(0)
        return [assigned[index] for index in range(len(theorems))]


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
