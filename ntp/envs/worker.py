"""One environment of a pool and the thread that uses it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from ntp.envs.base import ProofEnv, ProofSession
from ntp.errors import InitError
from ntp.types import Outcome, ProofState, Theorem

P = ParamSpec("P")
R = TypeVar("R")
# A proof as a list of tactics, or as a text.
S = TypeVar("S", bound=Sequence[str])


class PooledSession:
    """A theorem opened in one of the pool's workers; closing it frees the worker.

    Attributes:
        theorem: The theorem.
        root: Its initial state.
        busy_s: Seconds that the worker has spent on the theorem, including opening it.
    """

    def __init__(self, worker: Worker, session: ProofSession, opening_s: float) -> None:
        self.theorem = session.theorem
        self.root = session.root
        self.busy_s = opening_s
        self._worker, self._session = worker, session

    @property
    def num_env_steps(self) -> int:
        """Tactics that the prover has run in this session; see `ProofSession`."""
        return self._session.num_env_steps

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


class Worker:
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
                # A text has about as many sentences as lines.
                self._num_steps += script.count("\n") + 1 if isinstance(script, str) else len(script)
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
