"""The MLflow run of a sweep, the parent of its jobs' runs. Open it before any job starts."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ntp.errors import ConfigError
from ntp.tracking.outbox import TIMEOUT_S, Outbox, patience, reason
from ntp.tracking.store import open_client, open_store

_log = logging.getLogger(__name__)


def open_sweep(uri: str, experiment: str, name: str) -> str:
    """Create what concurrent jobs need: the database, the experiment, and the run that is their parent.

    Args:
        uri: Tracking URI of the jobs.
        experiment: Their experiment; MLflow shows only children of the same experiment.
        name: Name of the sweep.

    Returns:
        Its run id, which jobs take as `tracking.parent_run_id`.

    Raises:
        ConfigError: As for `ntp.tracking.store.open_store`.
    """
    from mlflow.exceptions import MlflowException

    client, experiment_id = open_store(uri, experiment)
    try:
        return client.create_run(experiment_id, run_name=name, tags={"stage": "sweep"}).info.run_id
    except MlflowException as error:
        raise ConfigError(f"tracking.uri={uri} takes no run: {reason(error)}") from error


def close_sweep(uri: str, run_id: str, status: str, files: Sequence[Path] = ()) -> None:
    """End a sweep's run. If the store is unavailable, only warn, since the jobs have finished.

    Args:
        uri: As for `open_sweep`.
        run_id: The id that `open_sweep` returned.
        status: `FINISHED`, `FAILED` or `KILLED`.
        files: Files to store with the run, such as a table of the jobs.
    """
    try:
        with patience(TIMEOUT_S):
            client = open_client(uri)
    except ConfigError as error:
        _log.warning("the sweep's own run in MLflow stays RUNNING: %s", error)
        return
    outbox = Outbox(f"MLflow at {uri}")
    for path in files:
        outbox.put(partial(client.log_artifact, run_id, str(path)))
    outbox.close(last=partial(client.set_terminated, run_id, status))
