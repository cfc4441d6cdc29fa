"""Servers that stall, are unavailable when a run begins, or refuse."""

import os

import pytest

from ntp.errors import ConfigError, PreemptedError
from ntp.tracking import mlflow, outbox
from ntp.tracking.mlflow import MlflowRun
from ntp.tracking.outbox import patience
from tests.tracking.standin_server import StandinServer


@pytest.fixture
def server(monkeypatch):
    # Between these and the real ones lie only seconds.
    monkeypatch.setattr(mlflow, "TIMEOUT_S", 1)
    monkeypatch.setattr(outbox, "_HURRIED_TIMEOUT_S", 1)
    monkeypatch.setattr(mlflow, "_OPENED", set())
    server = StandinServer()
    yield server
    server.stop()


def endpoints(server):
    return [endpoint for endpoint, _ in server.written]


def test_a_server_that_stalls_costs_a_run_a_few_seconds(tmp_path, server, caplog):
    with MlflowRun(server.uri, "study", tmp_path, "run") as run:
        server.stall()
        for step in range(100):
            run.log_metrics({"loss": 1.0}, step)
        assert server.num_stalled == 2
        server.go_on()
    assert endpoints(server).count("runs/log-batch") == 100
    assert server.written[-101][1]["status"] == "FINISHED"
    assert [r.getMessage().split(" (")[0].split()[-1] for r in caplog.records] == ["unavailable", "again"]


def test_a_run_that_is_asked_to_end_does_not_wait_for_a_server_that_stalls(tmp_path, server, caplog):
    with pytest.raises(PreemptedError), MlflowRun(server.uri, "study", tmp_path, "run") as run:
        run.log_metrics({"loss": 1.0})
        server.stall()
        raise PreemptedError(15, "asked to end")
    assert server.num_stalled == 1
    assert "1 writes were lost" in caplog.records[-1].getMessage()


def test_the_first_stage_of_a_command_needs_its_server(tmp_path, server):
    server.refusal = (503, "")
    with pytest.raises(ConfigError, match="no MLflow server answers there"):
        MlflowRun(server.uri, "study", tmp_path, "run")
    assert not list(tmp_path.iterdir())


def resumed(tmp_path, server, monkeypatch):
    (tmp_path / "mlflow_run_id").write_text("r1\n")


def requeued(tmp_path, server, monkeypatch):
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")


def second(tmp_path, server, monkeypatch):
    (tmp_path / "first").mkdir()
    with MlflowRun(server.uri, "study", tmp_path / "first", "first"):
        pass
    server.written.clear()


@pytest.mark.parametrize("before", [resumed, requeued, second])
def test_started_work_continues_while_the_server_is_unavailable(
    tmp_path, server, monkeypatch, caplog, before
):
    before(tmp_path, server, monkeypatch)
    server.refusal = (503, "")
    with MlflowRun(server.uri, "study", tmp_path, "run", parent_run_id="p1") as run:
        run.log_metrics({"loss": 1.0})
        assert server.written == []
        server.refusal = None
    assert run.run_id == "r1" and (tmp_path / "mlflow_run_id").read_text() == "r1\n"
    found = endpoints(server)
    assert found[-3:] == ["runs/update", "runs/set-tag", "runs/log-batch"], "each once, and its end first"
    assert found.count("runs/create") == (before is not resumed)
    assert [r.getMessage().split(" (")[0].split()[-1] for r in caplog.records] == ["unavailable", "again"]


def test_a_server_that_is_called_by_a_name_it_does_not_know(tmp_path, server):
    server.refusal = (403, "Invalid Host header - possible DNS rebinding attack detected")
    host = server.uri.removeprefix("http://")
    with pytest.raises(ConfigError, match=f"refuses this host name: .*--allowed-hosts '{host},localhost"):
        MlflowRun(server.uri, "study", tmp_path, "run")


def test_a_run_that_the_server_refuses_does_not_begin(tmp_path, server, monkeypatch):
    resumed(tmp_path, server, monkeypatch)
    server.refusal = (401, "You are not authenticated")
    with pytest.raises(ConfigError, match=r"takes no runs: .*not authenticated"):
        MlflowRun(server.uri, "study", tmp_path, "run")


def test_what_the_user_says_of_patience_holds(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    with patience(2, retries=3):
        assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
        assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "3"
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ
