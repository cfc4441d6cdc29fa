"""Runs in MLflow, found again when a run is resumed. Once a run is open, MLflow's troubles do not end it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ntp.data.jsonl import atomic_write
from ntp.errors import ConfigError, PreemptedError
from ntp.tracking.outbox import Outbox
from ntp.tracking.store import open_store, reason

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger

RUN_ID_FILE = "mlflow_run_id"
# The tracking store refuses larger batches.
_MAX_METRICS_PER_BATCH = 1000
_MAX_PARAMS_PER_BATCH = 100


class Run:
    """Where a run writes what it does: nowhere. On all processes of a distributed run but the first.

    Attributes:
        experiment: Name of the experiment.
        run_id: The run's id; empty where there is none.
    """

    experiment: str = ""
    run_id: str = ""

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log parameters. Those logged before the run was resumed keep their value."""

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags, such as the git commit or the hash of the data set."""

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Log metrics at a step; names may hold slashes, as in `val/pass_at_1`."""

    def log_summary(self, summary: Mapping[str, float]) -> None:
        """Log numbers of the whole run, but for those that it has logged on its way: a curve stays as it is.

        They stand where its curves end, at the step `num_steps` if they say which.
        """

    def log_artifact(self, path: Path, folder: str | None = None) -> None:
        """Store a file, or all files of a directory, with the run."""

    def lightning_logger(self) -> Logger:
        """A Lightning logger that writes to this run."""
        from ntp.tracking.lightning_logger import RunLogger

        return RunLogger(self.log_metrics, self.experiment, self.run_id)


class MlflowRun(Run):
    """One MLflow run, tied to an output directory by the run id kept in it.

    As a context manager it ends the run as FINISHED, KILLED (on Ctrl-C) or FAILED. Entering again, in another
    process too, continues the same run. What cannot be written because the store is away is written when it
    is back, with one warning (`ntp.tracking.outbox.Outbox`).

    Args:
        uri: Tracking URI, `sqlite:///PATH` or a server. The database is created when it does not exist;
            artifacts of a SQLite database are kept beside it, in `mlartifacts/`.
        experiment: Name of the experiment, created when it does not exist.
        directory: Output directory of the run.
        name: Name of the run.
        parent_run_id: The run of the sweep that this run is a job of, from `ntp.tracking.sweep.open_sweep`.

    Raises:
        ConfigError: The URI is a plain file store, the database cannot be opened, or no server answers.
    """

    def __init__(
        self, uri: str, experiment: str, directory: Path, name: str, parent_run_id: str | None = None
    ) -> None:
        from mlflow.exceptions import MlflowException
        from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

        self.uri = uri
        self.experiment = experiment
        self._client, experiment_id = open_store(uri, experiment)
        try:
            self.run_id = self._find_run(directory) or self._create_run(directory, experiment_id, name)
        except MlflowException as error:
            raise ConfigError(f"tracking.uri={uri} takes no run: {reason(error)}") from error
        self._outbox = Outbox(f"MLflow at {uri}")
        # Apart: files that cannot be stored, on a full disk for instance, must not hold up the record.
        self._files = Outbox(f"the artifact store of MLflow at {uri}", behind=self._outbox)
        self._logged: set[str] = set()
        if parent_run_id is not None:
            self.set_tags({MLFLOW_PARENT_RUN_ID: parent_run_id})

    def __enter__(self) -> MlflowRun:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._outbox.put(partial(self._client.set_terminated, self.run_id, _final_status(kind)))
        self._outbox.close()
        self._files.close()

    def log_params(self, params: Mapping[str, Any]) -> None:  # noqa: D102 - as in Run
        self._outbox.put(partial(self._log_new_params, dict(params)))

    def set_tags(self, tags: Mapping[str, str]) -> None:  # noqa: D102
        for name, value in tags.items():
            self._outbox.put(partial(self._client.set_tag, self.run_id, name, value))

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:  # noqa: D102
        from mlflow.entities import Metric
        from mlflow.utils.time import get_current_time_millis

        self._logged.update(metrics)
        now = get_current_time_millis()
        entities = [Metric(name, float(value), now, step) for name, value in metrics.items()]
        for begin in range(0, len(entities), _MAX_METRICS_PER_BATCH):
            batch = entities[begin : begin + _MAX_METRICS_PER_BATCH]
            self._outbox.put(partial(self._client.log_batch, self.run_id, metrics=batch))

    def log_summary(self, summary: Mapping[str, float]) -> None:  # noqa: D102
        new = {name: value for name, value in summary.items() if name not in self._logged}
        self.log_metrics(new, step=int(summary.get("num_steps", 0)))

    def log_artifact(self, path: Path, folder: str | None = None) -> None:  # noqa: D102
        if path.is_dir():
            self._files.put(partial(self._client.log_artifacts, self.run_id, str(path), folder or path.name))
        else:
            self._files.put(partial(self._client.log_artifact, self.run_id, str(path), folder))

    def _log_new_params(self, params: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        known = self._client.get_run(self.run_id).data.params
        new = [Param(name, str(value)) for name, value in params.items() if name not in known]
        for begin in range(0, len(new), _MAX_PARAMS_PER_BATCH):
            self._client.log_batch(self.run_id, params=new[begin : begin + _MAX_PARAMS_PER_BATCH])

    def _find_run(self, directory: Path) -> str | None:
        from mlflow.exceptions import MlflowException

        path = directory / RUN_ID_FILE
        if not path.exists():
            return None
        run_id = path.read_text(encoding="utf-8").strip()
        try:
            self._client.update_run(run_id, status="RUNNING")
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None  # the database was moved or deleted: the run goes on in a new record
        return run_id

    def _create_run(self, directory: Path, experiment_id: str, name: str) -> str:
        run_id = self._client.create_run(experiment_id, run_name=name).info.run_id
        with atomic_write(directory / RUN_ID_FILE) as stream:
            stream.write(run_id + "\n")
        return run_id


def _final_status(kind: type[BaseException] | None) -> str:
    if kind is None:
        return "FINISHED"
    return "KILLED" if issubclass(kind, (KeyboardInterrupt, PreemptedError)) else "FAILED"
