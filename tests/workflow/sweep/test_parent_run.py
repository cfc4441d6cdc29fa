import shutil

from mlflow.tracking import MlflowClient

from ntp.tracking.mlflow import MlflowRun
from ntp.tracking.runs import runs_table
from ntp.workflow.sweep.parent_run import close_sweep, open_sweep


def test_jobs_are_children_of_the_sweep(tmp_path, empty_database):
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    sweep = open_sweep(uri, "study", "seeds")
    for seed in range(2):
        (tmp_path / str(seed)).mkdir()
        with MlflowRun(uri, "study", tmp_path / str(seed), f"run-{seed}", sweep) as run:
            run.log_params({"seed": seed})
    (tmp_path / "jobs.md").write_text("| job |")
    close_sweep(uri, sweep, "FAILED", [tmp_path / "jobs.md"])
    client = MlflowClient(uri)
    experiment = client.get_run(sweep).info.experiment_id
    children = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{sweep}'")
    assert sorted(child.data.params["seed"] for child in children) == ["0", "1"]
    assert client.get_run(sweep).info.status == "FAILED"
    assert [file.path for file in client.list_artifacts(sweep)] == ["jobs.md"]
    table = runs_table(uri).set_index("run")
    assert list(table.loc[["run-0", "run-1"], "sweep"]) == ["seeds", "seeds"]
    assert table.loc["run-1", "seed"] == "1"
    assert table.loc["seeds", "status"] == "FAILED"


def test_a_sweep_that_has_ended_does_not_mind_that_its_store_is_gone(tmp_path, caplog):
    close_sweep(f"sqlite:///{tmp_path}/mlflow.db", "r1", "FINISHED")
    close_sweep("http://127.0.0.1:9", "r1", "FINISHED")
    assert ["stays RUNNING" in record.getMessage() for record in caplog.records] == [True, True]
