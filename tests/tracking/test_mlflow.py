import sqlite3
import subprocess
import sys

import pytest

from ntp.errors import ConfigError
from ntp.tracking.mlflow import MlflowRun


@pytest.fixture
def open_run(tmp_path):
    (tmp_path / "run").mkdir()

    def make(experiment="demo"):
        uri = f"sqlite:///{tmp_path}/db/mlflow.db"
        return MlflowRun(uri, experiment, tmp_path / "run", name="run")

    return make


def stored(run):
    from mlflow.tracking import MlflowClient

    return MlflowClient(run.uri).get_run(run.run_id)


def test_round_trip(tmp_path, open_run):
    report = tmp_path / "report"
    report.mkdir()
    (report / "report.md").write_text("# Report")
    with open_run() as run:
        run.log_params({"seed": 0, "model": "tiny"})
        run.set_tags({"git_commit": "abc"})
        run.log_metrics({"val/pass_at_1": 0.25, "gfn_tb/num_solved": 38}, step=4)
        run.log_artifact(report)
        assert stored(run).info.status == "RUNNING"
    found = stored(run)
    assert found.info.status == "FINISHED"
    assert found.data.params == {"seed": "0", "model": "tiny"}
    assert found.data.tags["git_commit"] == "abc"
    assert found.data.metrics == {"val/pass_at_1": 0.25, "gfn_tb/num_solved": 38.0}
    [artifact] = (tmp_path / "db" / "mlartifacts").rglob("report.md")
    assert artifact.read_text() == "# Report"


def test_many_metrics_are_logged_in_batches(open_run):
    with open_run() as run:
        run.log_metrics({f"m/{i}": i for i in range(2500)})
    assert len(stored(run).data.metrics) == 2500


def test_a_resumed_run_goes_on_in_the_same_record(open_run):
    with pytest.raises(KeyboardInterrupt), open_run() as first:
        first.log_params({"seed": 0})
        raise KeyboardInterrupt
    assert stored(first).info.status == "KILLED"
    with open_run() as second:
        assert second.run_id == first.run_id
        assert stored(second).info.status == "RUNNING"
        second.log_params({"seed": 1, "late": 2})
    assert stored(second).data.params == {"seed": "0", "late": "2"}


def test_a_run_that_the_database_does_not_know_gets_a_new_record(tmp_path, open_run):
    (tmp_path / "run" / "mlflow_run_id").write_text("0" * 32 + "\n")
    with open_run() as first:
        assert first.run_id != "0" * 32
    with open_run() as second:
        assert second.run_id == first.run_id


def test_a_deleted_experiment_is_restored(open_run):
    from mlflow.tracking import MlflowClient

    with open_run() as run:
        pass
    MlflowClient(run.uri).delete_experiment(stored(run).info.experiment_id)
    with pytest.raises(ValueError, match="boom"), open_run() as run:
        raise ValueError("boom")
    assert stored(run).info.status == "FAILED"


def test_lightning_logs_into_the_same_run(open_run):
    with open_run() as run:
        logger = run.lightning_logger()
        logger.log_metrics({"train/loss": 1.5}, step=3)
        assert logger.run_id == run.run_id
    assert stored(run).data.metrics == {"train/loss": 1.5}


@pytest.mark.parametrize("uri", ["./mlruns", "file:///tmp/mlruns"])
def test_file_stores_are_refused(tmp_path, uri):
    with pytest.raises(ConfigError, match="sqlite:///PATH"):
        MlflowRun(uri, "demo", tmp_path, "run")


def test_a_file_that_is_no_database_is_one_clear_line(tmp_path):
    (tmp_path / "mlflow.db").write_text("this is not a database" * 100)
    with pytest.raises(ConfigError, match=r"mlflow\.db cannot be opened") as caught:
        MlflowRun(f"sqlite:///{tmp_path}/mlflow.db", "demo", tmp_path, "run")
    assert "\n" not in str(caught.value)


def test_a_new_database_is_made_without_a_word_and_mlflow_is_imported_late(tmp_path):
    code = (
        "import sys; from pathlib import Path; from ntp.tracking.mlflow import MlflowRun\n"
        "assert 'mlflow' not in sys.modules\n"
        "d = Path(sys.argv[1])\n"
        "with MlflowRun(f'sqlite:///{d}/mlflow.db', 'demo', d, 'run') as run: run.log_metrics({'a': 1})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        assert database.execute("select value from metrics").fetchall() == [(1.0,)]
