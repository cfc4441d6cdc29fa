import subprocess
import sys
import time

import pytest

from ntp.errors import ConfigError
from ntp.tracking.mlflow import MlflowRun
from ntp.tracking.outbox import reason
from ntp.tracking.store import open_client, open_store


def spawn(*arguments, code):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.slow
def test_eight_processes_on_a_fresh_database_leave_eight_complete_runs(tmp_path, warm):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    module = "tests.tracking.write_a_run"
    processes = [warm.start(module, uri, str(tmp_path), str(number)) for number in range(8)]
    while len(list(tmp_path.iterdir())) < len(processes):
        time.sleep(0.01)
    (tmp_path / "go").touch()  # all of them begin at once
    ends = [warm.wait(process) for process in processes]
    assert [(end.returncode, end.stdout, end.stderr) for end in ends] == [(0, "", "")] * 8

    client = open_client(uri)
    [experiment] = [e for e in client.search_experiments() if e.name == "study"]
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert sorted(runs) == [f"run-{number}" for number in range(8)]
    for number in range(8):
        run = runs[f"run-{number}"]
        assert run.info.status == "FINISHED"
        assert run.data.params == {"seed": str(number), "model": "tiny"}
        losses = {step: number + 1 / (step + 1) for step in range(20)}
        norms = {step: float(step) for step in range(20)}
        for metric, expected in (("train/loss", losses), ("train/grad_norm", norms)):
            history = client.get_metric_history(run.info.run_id, metric)
            assert {point.step: point.value for point in history} == expected
        [artifact] = (tmp_path / "mlartifacts" / run.info.run_id).rglob("report.md")
        assert artifact.read_text() == f"report of {number}"


def test_a_kill_while_the_database_is_made_leaves_none(tmp_path):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    code = "import sys; from ntp.tracking.store import open_store; open_store(sys.argv[1], 'study')"
    process = spawn(uri, code=code)
    part = tmp_path / "mlflow.db.new"
    while not (part.exists() and part.stat().st_size > 0):
        assert process.poll() is None
        time.sleep(0.005)
    process.kill()
    process.wait()
    assert not (tmp_path / "mlflow.db").exists()
    client, experiment_id = open_store(uri, "study")
    assert client.get_experiment(experiment_id).name == "study"
    assert not part.exists()


def test_reading_makes_no_database(tmp_path):
    with pytest.raises(ConfigError, match="no MLflow database here"):
        open_client(f"sqlite:///{tmp_path}/mlflow.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("uri", ["./mlruns", "file:///tmp/mlruns"])
def test_file_stores_are_refused(tmp_path, uri):
    with pytest.raises(ConfigError, match="sqlite:///PATH"):
        MlflowRun(uri, "demo", tmp_path, "run")


def test_a_server_without_an_address_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="set MLFLOW_TRACKING_URI"):
        MlflowRun("", "demo", tmp_path, "run")


def test_a_file_that_is_no_database_is_one_clear_line(tmp_path):
    (tmp_path / "mlflow.db").write_text("this is not a database" * 100)
    with pytest.raises(ConfigError, match=r"mlflow\.db cannot be opened") as caught:
        MlflowRun(f"sqlite:///{tmp_path}/mlflow.db", "demo", tmp_path, "run")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("file is not a database\n[SQL: SELECT 1]", "file is not a database"),
        (
            "API request failed with exception HTTPConnectionPool(host='h', port=9): Max retries exceeded "
            "(Caused by NewConnectionError(\"HTTPConnection(host='h', port=9): Failed to establish a new "
            'connection: [Errno 111] Connection refused"))',
            "Failed to establish a new connection: [Errno 111] Connection refused",
        ),
        ("", "ValueError"),
    ],
)
def test_the_reason_is_one_line(text, expected):
    assert reason(ValueError(text)) == expected
