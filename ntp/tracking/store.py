"""The MLflow store: opening it to write or to read."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from filelock import FileLock

from ntp.errors import ConfigError
from ntp.importing import import_to_stay
from ntp.tracking.outbox import PATIENCE, is_refusal, reason

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

_SQLITE = "sqlite:///"
_SERVER = ("http://", "https://")
_LOCK_SECONDS = 300.0
# Read when mlflow is imported.
_ENVIRONMENT = {"MLFLOW_DISABLE_TELEMETRY": "true", **PATIENCE}
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
