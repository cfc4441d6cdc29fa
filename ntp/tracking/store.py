"""Opens MLflow tracking stores: an SQLite file, which one process at a time may create, or a server."""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from ntp.errors import ConfigError

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

_SQLITE = "sqlite:///"
_SERVER = ("http://", "https://")
_LOCK_SECONDS = 300.0
# Read when mlflow is imported or makes a request. Left alone, it asks a server that is down for minutes.
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
# Neither a migration log on every new database, nor a word on every retry: what fails in the end is raised.
_LOG_LEVELS = {
    "mlflow": logging.WARNING,
    "mlflow.store.db.utils": logging.CRITICAL,
    "alembic": logging.WARNING,
    "urllib3": logging.ERROR,
}


def open_store(uri: str, experiment: str) -> tuple[MlflowClient, str]:
    """Open a tracking store to write runs of an experiment.

    A database or an experiment that does not exist is created, by one of the processes that ask at once.

    Args:
        uri: Tracking URI, `sqlite:///PATH` or `http(s)://HOST:PORT`.
        experiment: Name of the experiment. Its artifacts are kept beside a database, in `mlartifacts/`, and
            sent to a server.

    Returns:
        The client, and the experiment's id.

    Raises:
        ConfigError: The URI is of another kind, the database cannot be opened, or no server answers.
    """
    with _reported(uri), _alone(uri):
        client = _connect(uri)
        return client, _ensure_experiment(client, uri, experiment)


def open_client(uri: str) -> MlflowClient:
    """Open a tracking store to read what is in it.

    Raises:
        ConfigError: As for `open_store`, and when there is no database yet.
    """
    if uri.startswith(_SQLITE) and not sqlite_path(uri).is_file():
        raise ConfigError(f"{sqlite_path(uri)}: no MLflow database here; the first run makes it")
    with _reported(uri), _alone(uri):
        return _connect(uri)


def sqlite_path(uri: str) -> Path:
    """The file of an SQLite URI."""
    return Path(uri.removeprefix(_SQLITE)).absolute()


@contextlib.contextmanager
def _reported(uri: str) -> Iterator[None]:
    """Refuse URIs that cannot work, and say in one line why one does not."""
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
        if uri.startswith(_SERVER):
            raise ConfigError(
                f"tracking.uri={uri}: no MLflow server answers there ({reason(error)}); start one "
                "(mlflow server), or keep runs in a file (tracking=mlflow)"
            ) from error
        raise ConfigError(f"tracking.uri={uri} cannot be opened: {reason(error)}") from error


@contextlib.contextmanager
def _alone(uri: str) -> Iterator[None]:
    """Keep other processes from opening the same SQLite file: MLflow's migrations do not bear company."""
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
    from mlflow.tracking import MlflowClient

    for name, level in _LOG_LEVELS.items():
        logging.getLogger(name).setLevel(level)
    if uri.startswith(_SQLITE) and not sqlite_path(uri).exists():
        _create_database(sqlite_path(uri))
    client = MlflowClient(uri)
    client.search_experiments(max_results=1)
    return client


def _create_database(path: Path) -> None:
    """Make it elsewhere and move it: a kill amid the migrations would leave half a schema for good."""
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
    """Why a store failed, in one line: of a failed request only the cause."""
    line = (str(error).splitlines() or [type(error).__name__])[0]
    _, caused, cause = line.rpartition("Caused by ")
    return re.split(r"\): |>, ", cause)[-1].strip("()\"'") if caused else line
