"""Writes to a store that may be unavailable for a while, without interrupting the work that is recorded."""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable

from ntp.tracking.store import is_refusal, patience, reason

_log = logging.getLogger(__name__)

# Seconds for a request, while there is work that must not wait.
TIMEOUT_S = 5
# Closing in a hurry: seconds for one request, and seconds after which no further request is started.
_HURRIED_TIMEOUT_S, _HURRIED_S = 2, 8.0


class Outbox:
    """Makes writes immediately and in order. While the store is unavailable, they are queued and retried.

    An unavailable store is retried with growing intervals, since each try may block for seconds. Writes that
    the store refuses are dropped. Both cases are reported once.

    Args:
        name: Name of the store, for warnings.
        wait_s: Seconds before the first retry; each further interval is twice as long.
        max_wait_s: The longest interval.
        max_waiting: Most queued writes; beyond that the oldest are lost.
        behind: Another outbox of the same store: while that one finds it unavailable, this one does not try.
        timeout_s: Seconds that a request may take. The first one that fails is repeated at once, since its
            connection may have been closed in the meantime.
    """

    def __init__(
        self,
        name: str,
        wait_s: float = 30.0,
        max_wait_s: float = 600.0,
        max_waiting: int = 20_000,
        behind: Outbox | None = None,
        timeout_s: int = TIMEOUT_S,
    ) -> None:
        self._name = name
        self._behind = behind
        self._timeout_s = timeout_s
        self._first_wait_s = self._wait_s = wait_s
        self._max_wait_s = max_wait_s
        self._max_waiting = max_waiting
        self._waiting: deque[Callable[[], object]] = deque()
        self._away = self._refuses = False
        self._next_try = 0.0
        self._num_lost = 0

    @property
    def is_away(self) -> bool:
        """Whether the store was unavailable at the last request."""
        return self._away

    def put(self, write: Callable[[], object]) -> None:
        """Make a write now, or when the store is available again."""
        if len(self._waiting) >= self._max_waiting:
            self._waiting.popleft()
            self._num_lost += 1
        self._waiting.append(write)
        if time.monotonic() >= self._next_try:
            self._empty(self._timeout_s, retries=0 if self._away else 1)

    def hold(self, write: Callable[[], object], error: Exception) -> None:
        """Queue a write that has just failed because the store is unavailable."""
        self._waiting.append(write)
        self._wait(error)

    def close(self, last: Callable[[], object] | None = None, hurried: bool = False) -> None:
        """Try one last time, and report what was lost.

        Args:
            last: The most important write, made before all queued ones.
            hurried: Whether the process must end soon, so that requests get short timeouts.
        """
        if last is not None:
            self._waiting.appendleft(last)
        if hurried:
            self._empty(_HURRIED_TIMEOUT_S, until=time.monotonic() + _HURRIED_S)
        else:
            self._empty(self._timeout_s, retries=0 if self._away else 1)
        if lost := self._num_lost + len(self._waiting):
            _log.warning("%s: %d writes were lost; the run's directory is complete", self._name, lost)
        self._waiting.clear()
        self._num_lost = 0

    def _empty(self, timeout_s: int, retries: int = 0, until: float = math.inf) -> None:
        from mlflow.exceptions import MlflowException

        if self._behind is not None and self._behind.is_away:
            return
        while self._waiting and time.monotonic() < until:
            try:
                with patience(timeout_s, retries):
                    self._waiting[0]()
            except (MlflowException, OSError) as error:  # those of requests are OSErrors
                if not is_refusal(error):
                    self._wait(error)
                    return
                self._drop(error)
            self._waiting.popleft()
        if self._away:
            _log.warning("%s is available again", self._name)
        self._away, self._wait_s, self._next_try = False, self._first_wait_s, 0.0

    def _drop(self, error: Exception) -> None:
        if not self._refuses:
            _log.warning("%s refuses what the run writes (%s)", self._name, reason(error))
        self._refuses = True
        self._num_lost += 1

    def _wait(self, error: Exception) -> None:
        if not self._away:
            _log.warning("%s is unavailable (%s); the run goes on and retries", self._name, reason(error))
        else:
            self._wait_s = min(2 * self._wait_s, self._max_wait_s)
        self._away, self._next_try = True, time.monotonic() + self._wait_s
