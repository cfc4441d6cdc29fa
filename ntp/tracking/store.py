"""The MLflow store: opening it, waiting for it, and distinguishing a refusal from a failure to answer."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from filelock import FileLock

from ntp.errors import ConfigError
from ntp.importing import import_to_stay

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


if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

_SQLITE = "sqlite:///"
_SERVER = ("http://", "https://")
_LOCK_SECONDS = 300.0
_TIMEOUT, _RETRIES = "MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
# Read when mlflow is imported or makes a request. By default it retries a server that is down for minutes.
_ENVIRONMENT = {"MLFLOW_DISABLE_TELEMETRY": "true", _TIMEOUT: "15", _RETRIES: "1"}
# No log of migrations for every new database and none of retries: a final failure raises anyway.
_LOG_LEVELS = {
    "mlflow": logging.WARNING,
    "mlflow.store.db.utils": logging.CRITICAL,
    "alembic": logging.WARNING,
    "urllib3": logging.ERROR,
}


def open_store(uri: str, experiment: str) -> tuple[MlflowClient, str]:
    """Open a tracking store to write runs of an experiment.

    A database or experiment that does not exist is created; concurrent processes create it once.

    Args:
        uri: Tracking URI, `sqlite:///PATH` or `http(s)://HOST:PORT`.
        experiment: Name of the experiment. Its artifacts are kept next to a database, in `mlartifacts/`, and
            sent to a server.

    Returns:
        The client, and the experiment's id.

    Raises:
        ConfigError: The URI is of another kind, the database cannot be opened, or no server answers.
    """
    with reported(uri):
        return open_again(uri, experiment)


def open_again(uri: str, experiment: str) -> tuple[MlflowClient, str]:
    """Like `open_store`, but errors of an unavailable store are raised unchanged."""
    with _alone(uri):
        client = _connect(uri)
        return client, _ensure_experiment(client, uri, experiment)


def open_client(uri: str) -> MlflowClient:
    """Open a tracking store for reading.

    Raises:
        ConfigError: As for `open_store`, and when there is no database yet.
    """
    if uri.startswith(_SQLITE) and not sqlite_path(uri).is_file():
        raise ConfigError(f"{sqlite_path(uri)}: no MLflow database here; the first run makes it")
    with reported(uri), _alone(uri):
        return _connect(uri)


def is_server(uri: str) -> bool:
    """Whether a store is a server, which may be temporarily unavailable, rather than a file."""
    return uri.startswith(_SERVER)


def is_refused_host(answer: str) -> bool:
    """Whether an MLflow server refuses the host name in the URI."""
    return "Invalid Host header" in answer


def with_hosts(uri: str) -> str:
    """The option of `mlflow server` that allows the host name in a URI, and `localhost`."""
    return f"--allowed-hosts '{urlsplit(uri).netloc.rpartition('@')[2]},localhost:*'"


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
        if before[name] in (None, _ENVIRONMENT[name]):
            os.environ[name] = str(value)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def sqlite_path(uri: str) -> Path:
    """The file of an SQLite URI."""
    return Path(uri.removeprefix(_SQLITE)).absolute()


@contextlib.contextmanager
def reported(uri: str) -> Iterator[None]:
    """Refuse unsupported URIs, and turn errors of the store into one line.

    Raises:
        ConfigError: The URI is of an unsupported kind, or an operation on the store failed.
    """
    if not uri:
        raise ConfigError(
            "tracking.uri is empty: set MLFLOW_TRACKING_URI, or give tracking.uri=http://HOST:PORT"
        )
    if "://" not in uri or uri.startswith("file:"):
        raise ConfigError(
            f"tracking.uri={uri}: MLflow no longer keeps runs in plain files; use sqlite:///PATH"
        )
    try:
        yield
    except (
        Exception
    ) as error:  # of mlflow, of SQLAlchemy, of the lock or of the network: the URI decides which
        if is_refused_host(str(error)):
            raise ConfigError(
                f"tracking.uri={uri}: the server refuses this host name: start it with {with_hosts(uri)}"
            ) from error
        if is_server(uri) and is_refusal(error):
            raise ConfigError(f"tracking.uri={uri} takes no runs: {reason(error)}") from error
        if is_server(uri):
            raise ConfigError(
                f"tracking.uri={uri}: no MLflow server answers there ({reason(error)}); start one "
                "(mlflow server), or keep runs in a file (tracking=mlflow)"
            ) from error
        raise ConfigError(f"tracking.uri={uri} cannot be opened or written: {reason(error)}") from error


@contextlib.contextmanager
def _alone(uri: str) -> Iterator[None]:
    """Lock an SQLite file against other processes: MLflow's migrations must not run concurrently."""
    if not uri.startswith(_SQLITE):
        yield
        return
    path = sqlite_path(uri)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f"{path.name}.lock"), timeout=_LOCK_SECONDS):
        yield


def _connect(uri: str) -> MlflowClient:
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    # The client would import it.
    import_to_stay("mlflow.store.tracking.sqlalchemy_store" if uri.startswith(_SQLITE) else "mlflow.tracking")
    from mlflow.tracking import MlflowClient

    for name, level in _LOG_LEVELS.items():
        logging.getLogger(name).setLevel(level)
    if uri.startswith(_SQLITE) and not sqlite_path(uri).exists():
        _create_database(sqlite_path(uri))
    client = MlflowClient(uri)
    client.search_experiments(max_results=1)
    return client


def _create_database(path: Path) -> None:
    """Create it under another name and move it: a kill during the migrations would leave half a schema."""
    from mlflow.tracking import MlflowClient

    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    MlflowClient(f"{_SQLITE}{new}").search_experiments(max_results=1)
    new.replace(path)


def _ensure_experiment(client: MlflowClient, uri: str, name: str) -> str:
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        location = (sqlite_path(uri).parent / "mlartifacts").as_uri() if uri.startswith(_SQLITE) else None
        try:
            return client.create_experiment(name, location)
        except MlflowException:  # another client of the server has just created it
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return found.experiment_id


def reason(error: BaseException) -> str:
    """Why a store failed, in one line; for a failed request, its cause only."""
    line = (str(error).splitlines() or [type(error).__name__])[0]
    _, caused, cause = line.rpartition("Caused by ")
    return re.split(r"\): |>, ", cause)[-1].strip("()\"'") if caused else line
