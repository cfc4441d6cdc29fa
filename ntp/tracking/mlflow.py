"""MLflow runs that can be resumed. Once a run is open, a failing MLflow store does not end it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ntp.errors import PreemptedError
from ntp.jsonl import atomic_write
from ntp.tracking.outbox import TIMEOUT_S, Outbox, is_refusal, patience
from ntp.tracking.owner import slurm_restarts
from ntp.tracking.store import is_server, open_again, reported

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger
    from mlflow.tracking import MlflowClient

RUN_ID_FILE = "mlflow_run_id"
_NOT_IN_NAMES = re.compile(r"[^\w./ :-]", re.ASCII)
# The tracking store refuses larger batches.
_MAX_METRICS_PER_BATCH = 1000
_MAX_PARAMS_PER_BATCH = 100
_UPLOAD_TIMEOUT_S = 60
# Stores that this process has opened: if one fails later, it is unavailable rather than misconfigured.
_OPENED: set[str] = set()


class Run:
    """Records nothing: used in all processes of a distributed run except the first, and the base class.

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
        """Log metrics at a step; see `accepted_name` for their names."""

    def log_summary(self, summary: Mapping[str, float]) -> None:
        """Log numbers of the whole run, except metrics that it has already logged as a curve.

        They are logged at the step `num_steps` if the summary has it, where the curves end.
        """

    def log_artifact(self, path: Path, folder: str | None = None) -> None:
        """Store a file, or all files of a directory, with the run."""

    def lightning_logger(self) -> Logger:
        """A Lightning logger that writes to this run."""
        from ntp.tracking.lightning import RunLogger

        return RunLogger(self.log_metrics, self.experiment, self.run_id)


class MlflowRun(Run):
    """One MLflow run, tied to an output directory by the run id kept in it.

    As a context manager it ends the run as FINISHED, KILLED (after a stop signal) or FAILED. Entering it
    again, also in another process, continues the same run. Writes that fail because the store is unavailable
    are retried later, with one warning (`ntp.tracking.outbox.Outbox`). Opening the run is retried in the same
    way if the run was started before or this process has opened the same store before.

    Args:
        uri: Tracking URI, `sqlite:///PATH` or a server. The database is created when it does not exist;
            artifacts of a SQLite database are kept next to it, in `mlartifacts/`.
        experiment: Name of the experiment, created when it does not exist.
        directory: Output directory of the run.
        name: Name of the run.
        parent_run_id: The run of the sweep that this run is a job of, if any.

    Attributes:
        run_id: The run's id; empty until it can be opened.

    Raises:
        ConfigError: The URI is a plain file store, the database cannot be opened, no server answers, or what
            answers does not take the run.
    """

    def __init__(
        self, uri: str, experiment: str, directory: Path, name: str, parent_run_id: str | None = None
    ) -> None:
        from mlflow.exceptions import MlflowException

        self.uri = uri
        self.experiment = experiment
        self._directory, self._name = directory, name
        self._client: MlflowClient | None = None
        self._logged: set[str] = set()
        self._outbox = Outbox(f"MLflow at {uri}", timeout_s=TIMEOUT_S)
        # A separate outbox: files that cannot be stored (on a full disk, say) must not delay the metrics. A
        # server answers only after it has forwarded the whole file.
        self._files = Outbox(
            f"the artifact store of MLflow at {uri}", behind=self._outbox, timeout_s=_UPLOAD_TIMEOUT_S
        )
        can_wait = is_server(uri) and self._is_known()
        with reported(uri):
            try:
                with patience(TIMEOUT_S) if can_wait else contextlib.nullcontext():
                    self._open()
            except (MlflowException, OSError) as error:
                if not can_wait or is_refusal(error):
                    raise
                self._outbox.hold(self._open, error)
        if parent_run_id is not None:
            from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

            self.set_tags({MLFLOW_PARENT_RUN_ID: parent_run_id})

    def __enter__(self) -> MlflowRun:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # A run that receives a stop signal has little time: a SLURM job is killed a minute or two later.
        hurried = kind is not None and issubclass(kind, (PreemptedError, SystemExit))
        self._outbox.close(self._write("set_terminated", _final_status(kind)), hurried)
        self._files.close(hurried=hurried)

    def log_params(self, params: Mapping[str, Any]) -> None:  # noqa: D102 - as in Run
        self._outbox.put(partial(self._log_new_params, dict(params)))

    def set_tags(self, tags: Mapping[str, str]) -> None:  # noqa: D102
        for name, value in tags.items():
            self._outbox.put(self._write("set_tag", name, value))

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:  # noqa: D102
        from mlflow.entities import Metric
        from mlflow.utils.time import get_current_time_millis

        self._logged.update(metrics)
        now = get_current_time_millis()
        entities = [Metric(accepted_name(name), float(value), now, step) for name, value in metrics.items()]
        for begin in range(0, len(entities), _MAX_METRICS_PER_BATCH):
            batch = entities[begin : begin + _MAX_METRICS_PER_BATCH]
            self._outbox.put(self._write("log_batch", metrics=batch))

    def log_summary(self, summary: Mapping[str, float]) -> None:  # noqa: D102
        new = {name: value for name, value in summary.items() if name not in self._logged}
        self.log_metrics(new, step=int(summary.get("num_steps", 0)))

    def log_artifact(self, path: Path, folder: str | None = None) -> None:  # noqa: D102
        if path.is_dir():
            self._files.put(self._write("log_artifacts", str(path), folder or path.name))
        else:
            self._files.put(self._write("log_artifact", str(path), folder))

    def _write(self, method: str, *arguments: Any, **options: Any) -> Callable[[], object]:
        """A call of a client's method on this run, which opens the run if that has not been possible yet."""

        def write() -> object:
            client = self._open()
            return getattr(client, method)(self.run_id, *arguments, **options)

        return write

    def _log_new_params(self, params: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        client = self._open()
        known = client.get_run(self.run_id).data.params
        new = [Param(name, str(value)) for name, value in params.items() if name not in known]
        for begin in range(0, len(new), _MAX_PARAMS_PER_BATCH):
            client.log_batch(self.run_id, params=new[begin : begin + _MAX_PARAMS_PER_BATCH])

    def _is_known(self) -> bool:
        """Whether this run, or the run that it continues, was started before."""
        return self.uri in _OPENED or slurm_restarts() > 0 or (self._directory / RUN_ID_FILE).exists()

    def _open(self) -> MlflowClient:
        """Connect to the store and find or create the run, once."""
        if self._client is None:
            client, experiment_id = open_again(self.uri, self.experiment)
            known = self._find_run(client)
            self.run_id = known or client.create_run(experiment_id, run_name=self._name).info.run_id
            self._client = client
            _OPENED.add(self.uri)
            if known is None:
                with atomic_write(self._directory / RUN_ID_FILE) as stream:
                    stream.write(self.run_id + "\n")
        return self._client

    def _find_run(self, client: MlflowClient) -> str | None:
        from mlflow.entities import LifecycleStage
        from mlflow.exceptions import MlflowException

        path = self._directory / RUN_ID_FILE
        if not path.exists():
            return None
        run_id = path.read_text(encoding="utf-8").strip()
        try:
            found = client.get_run(run_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None  # the database was moved or deleted: continue in a new run
        if found.info.lifecycle_stage == LifecycleStage.DELETED:  # by a user, who may empty the bin any time
            return None
        client.update_run(run_id, status="RUNNING")
        return run_id


def accepted_name(metric: str) -> str:
    """The name of a metric in MLflow, which accepts no `@` (`gfn@0/num_solved`) and few other characters."""
    return _NOT_IN_NAMES.sub(":", metric)


def _final_status(kind: type[BaseException] | None) -> str:
    if kind is None:
        return "FINISHED"
    # submitit ends the process of a job that it has put back into the queue by SystemExit.
    asked = (KeyboardInterrupt, PreemptedError, SystemExit)
    return "KILLED" if issubclass(kind, asked) else "FAILED"
