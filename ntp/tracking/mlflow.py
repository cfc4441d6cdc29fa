"""Runs in MLflow, found again when a run is resumed."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ntp.data.jsonl import atomic_write
from ntp.errors import ConfigError, DataError, PreemptedError

if TYPE_CHECKING:
    from lightning.pytorch.loggers import MLFlowLogger
    from mlflow.tracking import MlflowClient

RUN_ID_FILE = "mlflow_run_id"
_SQLITE = "sqlite:///"
_MAX_METRICS_PER_BATCH = 1000  # the tracking store refuses larger batches


class MlflowRun:
    """One MLflow run, tied to an output directory by the run id kept in it.

    As a context manager it ends the run as FINISHED, KILLED (on Ctrl-C) or FAILED. Entering again, in another
    process too, continues the same run.

    Args:
        uri: Tracking URI, `sqlite:///PATH` or a server. The database is created when it does not exist;
            artifacts of a SQLite database are kept beside it, in `mlartifacts/`.
        experiment: Name of the experiment, created when it does not exist.
        directory: Output directory of the run.
        name: Name of the run.

    Raises:
        ConfigError: The URI is a plain file store, or the database cannot be opened.
    """

    def __init__(self, uri: str, experiment: str, directory: Path, name: str) -> None:
        self.uri = uri
        self.experiment = experiment
        self._client = _open_client(uri)
        experiment_id = _ensure_experiment(self._client, uri, experiment)
        self.run_id = self._find_run(directory) or self._create_run(directory, experiment_id, name)

    def __enter__(self) -> MlflowRun:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.set_terminated(self.run_id, _final_status(kind))

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log parameters. Those logged before the run was resumed keep their value."""
        from mlflow.entities import Param

        known = self._client.get_run(self.run_id).data.params
        new = [Param(name, str(value)) for name, value in params.items() if name not in known]
        self._client.log_batch(self.run_id, params=new)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags, such as the git commit or the hash of the data set."""
        for name, value in tags.items():
            self._client.set_tag(self.run_id, name, value)

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Log metrics at a step; names may hold slashes, as in `val/pass_at_1`."""
        from mlflow.entities import Metric
        from mlflow.utils.time import get_current_time_millis

        now = get_current_time_millis()
        entities = [Metric(name, float(value), now, step) for name, value in metrics.items()]
        for begin in range(0, len(entities), _MAX_METRICS_PER_BATCH):
            self._client.log_batch(self.run_id, metrics=entities[begin : begin + _MAX_METRICS_PER_BATCH])

    def log_artifact(self, path: Path, folder: str | None = None) -> None:
        """Store a file, or all files of a directory, with the run."""
        if path.is_dir():
            self._client.log_artifacts(self.run_id, str(path), folder or path.name)
        else:
            self._client.log_artifact(self.run_id, str(path), folder)

    def history(self, directory: Path, metric: str) -> tuple[tuple[int, ...], tuple[float, ...]]:
        """Steps and values of a metric of the run that belongs to another output directory.

        Raises:
            DataError: That run has no such metric in this tracking store.
        """
        path = directory / RUN_ID_FILE
        run_id = path.read_text(encoding="utf-8").strip() if path.exists() else ""
        points = self._client.get_metric_history(run_id, metric) if run_id else []
        if not points:
            raise DataError(f"{directory}: {self.uri} has no values of {metric} for this run; make it again")
        latest = {point.step: point.value for point in sorted(points, key=lambda p: (p.step, p.timestamp))}
        return tuple(latest), tuple(latest.values())

    def lightning_logger(self) -> MLFlowLogger:
        """A Lightning logger that writes to this run."""
        from lightning.pytorch.loggers import MLFlowLogger

        return MLFlowLogger(self.experiment, tracking_uri=self.uri, run_id=self.run_id)

    def _find_run(self, directory: Path) -> str | None:
        from mlflow.exceptions import MlflowException

        path = directory / RUN_ID_FILE
        if not path.exists():
            return None
        run_id = path.read_text(encoding="utf-8").strip()
        try:
            self._client.update_run(run_id, status="RUNNING")
        except MlflowException:  # the database was moved or deleted: the run goes on in a new record
            return None
        return run_id

    def _create_run(self, directory: Path, experiment_id: str, name: str) -> str:
        run_id = self._client.create_run(experiment_id, run_name=name).info.run_id
        with atomic_write(directory / RUN_ID_FILE) as stream:
            stream.write(run_id + "\n")
        return run_id


def create_experiment(uri: str, experiment: str) -> None:
    """Create an experiment, and the database where there is none, before processes start that need them.

    Raises:
        ConfigError: As for `MlflowRun`.
    """
    _ensure_experiment(_open_client(uri), uri, experiment)


def _final_status(kind: type[BaseException] | None) -> str:
    if kind is None:
        return "FINISHED"
    return "KILLED" if issubclass(kind, (KeyboardInterrupt, PreemptedError)) else "FAILED"


def _open_client(uri: str) -> MlflowClient:
    if "://" not in uri or uri.startswith("file:"):
        raise ConfigError(
            f"tracking.uri={uri}: MLflow no longer keeps runs in plain files; use sqlite:///PATH"
        )
    if uri.startswith(_SQLITE):
        _sqlite_path(uri).parent.mkdir(parents=True, exist_ok=True)
    # Read when mlflow is imported: neither usage reports nor a migration log on every new database.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow.tracking import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)
    except Exception as error:  # of mlflow, of SQLAlchemy or of the network: the URI decides which
        raise ConfigError(f"tracking.uri={uri} cannot be opened: {_first_line(error)}") from error
    return client


def _ensure_experiment(client: MlflowClient, uri: str, name: str) -> str:
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        location = (_sqlite_path(uri).parent / "mlartifacts").as_uri() if uri.startswith(_SQLITE) else None
        try:
            return client.create_experiment(name, location)
        except MlflowException:  # another process has just created it
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return found.experiment_id


def _sqlite_path(uri: str) -> Path:
    return Path(uri.removeprefix(_SQLITE)).absolute()


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]
