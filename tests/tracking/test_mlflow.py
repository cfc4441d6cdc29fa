import shutil
import sqlite3
import subprocess
import sys
import time

import pytest

from ntp.errors import ConfigError
from ntp.tracking.mlflow import MlflowRun, Run
from ntp.tracking.runs import learning_curves


@pytest.fixture
def new_run(tmp_path, empty_database):
    (tmp_path / "run").mkdir()
    (tmp_path / "db").mkdir()
    shutil.copy(empty_database, tmp_path / "db/mlflow.db")

    def make(experiment="demo"):
        uri = f"sqlite:///{tmp_path}/db/mlflow.db"
        return MlflowRun(uri, experiment, tmp_path / "run", name="run")

    return make


def stored(run):
    from mlflow.tracking import MlflowClient

    return MlflowClient(run.uri).get_run(run.run_id)


def test_round_trip(tmp_path, new_run):
    report = tmp_path / "report"
    report.mkdir()
    (report / "report.md").write_text("# Report")
    with new_run() as run:
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


def test_names_of_arms_with_seeds_are_stored(new_run, caplog):
    with new_run() as run:
        run.log_metrics({"gfn@0/num_solved": 38, "gfn@1/num_solved": 39})
    assert stored(run).data.metrics == {"gfn:0/num_solved": 38.0, "gfn:1/num_solved": 39.0}
    assert not caplog.records


def test_artifacts_that_cannot_be_stored_cost_nothing_else(tmp_path, new_run, caplog):
    (tmp_path / "report.md").write_text("# Report")
    with new_run() as run:
        (tmp_path / "db/mlartifacts").write_text("a file where a directory has to be")
        run.log_artifact(tmp_path / "report.md")
        run.log_metrics({"loss": 0.5})
    found = stored(run)
    assert (found.info.status, found.data.metrics) == ("FINISHED", {"loss": 0.5})
    refused, lost = [record.getMessage() for record in caplog.records]
    assert "artifact store" in refused and "1 writes were lost" in lost


def test_many_metrics_are_logged_in_batches(new_run):
    with new_run() as run:
        run.log_metrics({f"m/{i}": i for i in range(2500)})
    assert len(stored(run).data.metrics) == 2500


def test_a_resumed_run_goes_on_in_the_same_record(new_run):
    with pytest.raises(KeyboardInterrupt), new_run() as first:
        first.log_params({"seed": 0})
        raise KeyboardInterrupt
    assert stored(first).info.status == "KILLED"
    with new_run() as second:
        assert second.run_id == first.run_id
        assert stored(second).info.status == "RUNNING"
        second.log_params({"seed": 1, "late": 2})
    assert stored(second).data.params == {"seed": "0", "late": "2"}


def test_a_run_that_the_database_does_not_know_gets_a_new_record(tmp_path, new_run):
    (tmp_path / "run" / "mlflow_run_id").write_text("0" * 32 + "\n")
    with new_run() as first:
        assert first.run_id != "0" * 32
    with new_run() as second:
        assert second.run_id == first.run_id


def test_a_run_that_was_deleted_gets_a_new_record(new_run):
    from mlflow.tracking import MlflowClient

    with new_run() as first:
        pass
    MlflowClient(first.uri).delete_run(first.run_id)
    with new_run() as second:
        assert second.run_id != first.run_id
    assert stored(second).info.status == "FINISHED"


def test_a_job_that_waits_in_the_queue_again_has_not_failed(new_run):
    with pytest.raises(SystemExit), new_run() as run:
        sys.exit(-1)  # as submitit does
    assert stored(run).info.status == "KILLED"


def test_of_runs_of_one_name_the_newest_shows_its_curve(tmp_path, new_run):
    for losses in ([3.0, 2.0], [1.0, 0.0]):
        with new_run() as run:
            for step, loss in enumerate(losses):
                run.log_metrics({"loss": loss}, step)
        (tmp_path / "run" / "mlflow_run_id").unlink()
        time.sleep(0.002)  # MLflow tells runs apart by milliseconds
    assert learning_curves(run.uri, "loss") == {"run": ((0, 1), (1.0, 0.0))}


def test_a_deleted_experiment_is_restored(new_run):
    from mlflow.tracking import MlflowClient

    with new_run() as run:
        pass
    MlflowClient(run.uri).delete_experiment(stored(run).info.experiment_id)
    with pytest.raises(ValueError, match="boom"), new_run() as run:
        raise ValueError("boom")
    assert stored(run).info.status == "FAILED"


def test_a_run_of_a_store_that_cannot_be_written_is_not_taken_for_a_lost_one(tmp_path, new_run):
    with new_run() as run:
        pass
    with sqlite3.connect(tmp_path / "db/mlflow.db") as database:
        database.execute("create trigger t before update on runs begin select raise(abort, 'read only'); end")
    with pytest.raises(ConfigError, match=r"mlflow\.db cannot be opened or written: "):
        new_run()
    assert (tmp_path / "run/mlflow_run_id").read_text().strip() == run.run_id


def test_more_params_than_a_batch_takes(new_run):
    with new_run() as run:
        run.log_params({f"p{i}": i for i in range(250)})
    assert len(stored(run).data.params) == 250


def test_a_run_of_another_process_than_the_main_one_writes_nothing(tmp_path):
    (tmp_path / "report.md").write_text("# Report")
    with Run() as run:
        run.log_params({"seed": 0})
        run.set_tags({"git_commit": "abc"})
        run.log_metrics({"a": 1.0})
        run.log_artifact(tmp_path / "report.md")
        run.lightning_logger().log_metrics({"a": 1.0}, step=1)
    assert [path.name for path in tmp_path.iterdir()] == ["report.md"]


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
