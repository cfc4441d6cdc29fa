"""Reads runs back from MLflow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ntp.errors import DataError
from ntp.tracking.mlflow import RUN_ID_FILE
from ntp.tracking.store import open_client

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.entities import Run as RunRecord
    from mlflow.tracking import MlflowClient

# Steps, ascending, and the value at each.
History = tuple[tuple[int, ...], tuple[float, ...]]


def metric_history(uri: str, directory: Path, metric: str) -> History:
    """Steps and values of a metric of the run that belongs to an output directory.

    Raises:
        ConfigError: The tracking store cannot be opened.
        DataError: That run has no such metric in this tracking store.
    """
    path = directory / RUN_ID_FILE
    run_id = path.read_text(encoding="utf-8").strip() if path.exists() else ""
    history = _history(open_client(uri), run_id, metric) if run_id else ((), ())
    if not history[0]:
        raise DataError(f"{directory}: {uri} has no values of {metric} for this run; make it again")
    return history


def learning_curves(uri: str, metric: str) -> dict[str, History]:
    """The history of a metric by name of the run, for all runs with more than one value of it.

    Of several runs with one name the newest counts, since it replaced the others (`force=true`).

    Raises:
        ConfigError: The tracking store cannot be opened.
    """
    client = open_client(uri)
    newest = {run.info.run_name: run for run in reversed(_all_runs(client))}
    curves = {
        str(run.info.run_name): _history(client, run.info.run_id, metric)
        for run in newest.values()
        if metric in run.data.metrics
    }
    return {name: curve for name, curve in curves.items() if len(curve[0]) > 1}


def runs_table(uri: str) -> pd.DataFrame:
    """All runs, the newest first.

    Returns:
        Experiment, run, status, minutes, name of the sweep's run, and a column for each parameter.

    Raises:
        ConfigError: The tracking store cannot be opened.
    """
    import pandas as pd
    from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

    client = open_client(uri)
    experiments = {e.experiment_id: e.name for e in client.search_experiments()}
    runs = _all_runs(client)
    names = {run.info.run_id: run.info.run_name for run in runs}
    rows = [
        {
            "experiment": experiments[run.info.experiment_id],
            "run": run.info.run_name,
            "status": run.info.status,
            "minutes": run.info.end_time and round((run.info.end_time - run.info.start_time) / 60_000, 1),
            "sweep": names.get(run.data.tags.get(MLFLOW_PARENT_RUN_ID, "")),
            **run.data.params,
        }
        for run in runs
    ]
    return pd.DataFrame(rows)


def _all_runs(client: MlflowClient) -> list[RunRecord]:
    experiments = [e.experiment_id for e in client.search_experiments()]
    runs: list[RunRecord] = []
    token = None
    while True:
        page = client.search_runs(experiments, order_by=["attributes.start_time DESC"], page_token=token)
        runs += page
        token = page.token
        if not token:
            return runs


def _history(client: MlflowClient, run_id: str, metric: str) -> History:
    """The latest value at each step: a run that was killed and resumed has some steps twice."""
    points = sorted(client.get_metric_history(run_id, metric), key=lambda p: (p.step, p.timestamp))
    latest = {point.step: point.value for point in points}
    return tuple(latest), tuple(latest.values())
