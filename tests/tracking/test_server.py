"""Runs on a real `mlflow server`."""

import time

import pytest
from mlflow.tracking import MlflowClient

from ntp.errors import ConfigError
from ntp.tracking import mlflow
from ntp.tracking.mlflow import MlflowRun
from ntp.tracking.runs import metric_history
from ntp.tracking.store import open_store
from ntp.workflow.sweep.parent_run import close_sweep, open_sweep

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def quick_to_give_up(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")


def test_a_run_and_its_artifacts_are_kept_by_the_server(tmp_path, server):
    (tmp_path / "verifier").mkdir()
    (tmp_path / "verifier/head.json").write_text("{}")
    sweep = open_sweep(server.uri, "study", "seeds")
    with MlflowRun(server.uri, "study", tmp_path, "run", sweep) as run:
        run.log_params({"seed": 0})
        run.log_metrics({"train/loss": 1.0}, step=2)
        run.log_artifact(tmp_path / "verifier")
    close_sweep(server.uri, sweep, "FINISHED")
    client = MlflowClient(server.uri)
    kept = client.get_run(run.run_id)
    assert kept.info.status == "FINISHED"
    assert kept.data.params == {"seed": "0"}
    assert kept.data.tags["mlflow.parentRunId"] == sweep
    assert kept.info.artifact_uri.startswith("mlflow-artifacts:")
    assert list((server.directory / "artifacts").rglob("verifier/head.json"))
    assert metric_history(server.uri, tmp_path, "train/loss") == ((2,), (1.0,))
    assert client.get_run(sweep).info.status == "FINISHED"


def test_a_run_outlives_its_server_and_its_record_is_whole_in_the_end(tmp_path, server, caplog, monkeypatch):
    # A server that is away refuses at once. One that is back may be slow, and is asked once.
    monkeypatch.setattr(mlflow, "TIMEOUT_S", 60)
    (tmp_path / "report.md").write_text("# Report")
    with MlflowRun(server.uri, "study", tmp_path, "run") as run:
        run.log_metrics({"loss": 0.0}, step=0)
        server.stop()
        started = time.monotonic()
        for step in range(1, 500):
            run.log_metrics({"loss": float(step)}, step=step)
        run.log_artifact(tmp_path / "report.md")
        assert time.monotonic() - started < 20, "an unavailable server is not waited for at every step"
        [warning] = caplog.records
        assert "is unavailable (" in warning.getMessage()
        server.start()
    assert "is available again" in caplog.records[-1].getMessage()
    assert MlflowClient(server.uri).get_run(run.run_id).info.status == "FINISHED"
    steps, values = metric_history(server.uri, tmp_path, "loss")
    assert steps == tuple(range(500))
    assert values == tuple(map(float, steps))
    assert MlflowClient(server.uri).list_artifacts(run.run_id)[0].path == "report.md"


def test_a_server_that_stays_away_costs_only_its_record(tmp_path, server, caplog):
    """The last test of the file: the server stays away."""
    with MlflowRun(server.uri, "study", tmp_path, "run") as run:
        server.stop()
        run.log_metrics({"loss": 1.0})
        run.set_tags({"a": "b"})
    assert "3 writes were lost" in caplog.records[-1].getMessage()
    with pytest.raises(ConfigError, match=r"no MLflow server answers there .*refused") as caught:
        open_store(server.uri, "study")
    assert "\n" not in str(caught.value)
    assert server.uri in str(caught.value)
    assert len(str(caught.value)) < 250
