"""Writes to a store that may be unavailable for a while, without interrupting the work that is recorded."""

from __future__ import annotations

import contextlib
import errno
import logging
import math
import os
import re
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator

_log = logging.getLogger(__name__)

# Seconds for a request, while there is work that must not wait.
TIMEOUT_S = 5
# Closing in a hurry: seconds for one request, and seconds after which no further request is started.
_HURRIED_TIMEOUT_S, _HURRIED_S = 2, 8.0
_TIMEOUT, _RETRIES = "MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
# Read when MLflow makes a request. By default it retries a server that is down for minutes.
PATIENCE = {_TIMEOUT: "15", _RETRIES: "1"}
# HTTP statuses after which a retry may succeed: the server was too slow or overloaded.
_LATER = (408, 429)
# Errors of local files, which do not mean that the store is unavailable. Other such errors are classes.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.ENAMETOOLONG)
_OF_FILES = (
    FileNotFoundError,  # an artifact that was deleted while it waited
    FileExistsError,
    PermissionError,
    IsADirectoryError,
    NotADirectoryError,
    shutil.Error,
)


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


def is_refusal(error: Exception) -> bool:
    """Whether a retry cannot help: the store refused, or a local file cannot be read or written.

    Everything else is treated as a temporary failure of the store or the network.

    Args:
        error: Raised by MLflow, by requests or by the file system.
    """
    if (status := _http_status(error)) is not None:
        return 400 <= status < 500 and status not in _LATER
    return isinstance(error, _OF_FILES) or getattr(error, "errno", None) in _NO_ROOM


def _http_status(error: Exception) -> int | None:
    """The HTTP status of a server's answer, given directly or by MLflow's error code."""
    from mlflow.exceptions import MlflowException
    from requests import HTTPError

    if isinstance(error, HTTPError):
        return None if error.response is None else error.response.status_code
    if not isinstance(error, MlflowException):
        return None
    # MLflow has no error code for some statuses (a proxy's 413, say) and reports an internal error instead.
    said = re.search(r"failed with error code (\d{3})", str(error))
    return int(said[1]) if said else error.get_http_status_code()


@contextlib.contextmanager
def patience(timeout_s: int, retries: int = 0) -> Iterator[None]:
    """Limit how long a server's answers are waited for; the user's environment variables take precedence.

    Args:
        timeout_s: Timeout of a request in seconds.
        retries: Immediate retries of a request.
    """
    before = {name: os.environ.get(name) for name in (_TIMEOUT, _RETRIES)}
    for name, value in ((_TIMEOUT, timeout_s), (_RETRIES, retries)):
        # MLflow reads these variables at every request; it has no other way to set them.
        if before[name] in (None, PATIENCE[name]):
            os.environ[name] = str(value)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def reason(error: BaseException) -> str:
    """Why a store failed, in one line; for a failed request, its cause only."""
    line = (str(error).splitlines() or [type(error).__name__])[0]
    _, caused, cause = line.rpartition("Caused by ")
    return re.split(r"\): |>, ", cause)[-1].strip("()\"'") if caused else line
