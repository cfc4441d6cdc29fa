"""Sweeps on a real SLURM, from the command line, as a user types them."""

import json
import sqlite3
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slurm, pytest.mark.coq, pytest.mark.slow]

ON_SLURM = ["-m", "hydra/launcher=slurm_cpu", "hydra.launcher.timeout_min=10"]
# Folding the table would break the names in it.
WIDE = {"COLUMNS": "300"}


@pytest.fixture
def cli(cli, tmp_path, slurm):
    """The command line with outputs of its own, and the cluster that it submits to."""
    return cli.with_outputs(tmp_path / "outputs")


def sweep_of(done):
    """The sweep's directory, which is the last line printed."""
    return done.stdout.splitlines()[-1]


def rows(done):
    """The table's cells by the job's number."""
    lines = [line.strip("│┃ ").split("│") for line in done.stderr.splitlines() if line.startswith("│")]
    return {int(cells[0]): [cell.strip() for cell in cells[1:]] for cells in lines}


def test_four_jobs_make_what_they_share_once_and_log_to_one_fresh_store(cli, small):
    data = [option for option in small if not option.startswith("data.split")]
    asked = ["+experiment=data_statistics", *data, "objective=test/num_tactics"]
    held_out = [f"[Bool/{name}.v]" for name in ("Bool", "BoolEq", "IfProp", "Zerob")]
    done = cli(*ON_SLURM, *asked, f"data.split.test_files={','.join(held_out)}", **WIDE)
    assert done.returncode == 0, done.stderr[-3000:]
    table = rows(done)
    sent = [[f"data.split.test_files={files}", "done"] for files in held_out]
    assert [cells[:2] for cells in table.values()] == sent
    assert len(list(cli.outputs.glob("extract_coq-*"))) == 1
    for _, _, directory, objective, *_ in table.values():
        summary = json.loads((cli.outputs / directory / "summary.json").read_text())
        assert float(objective) == summary["test/num_tactics"]
    assert len({objective for _, _, _, objective, *_ in table.values()}) == 4, "each has a split of its own"
    with sqlite3.connect(cli.outputs / "mlflow.db") as store:
        runs = store.execute("select status, count(*) from runs group by status").fetchall()
        children = store.execute("select count(*) from tags where key = 'mlflow.parentRunId'").fetchall()
    assert runs == [("FINISHED", 6)], "the sweep's own, the extraction's, and one for each job"
    assert children == [(4,)], "what jobs share is no job"
    assert not list(cli.outputs.glob(".*.lock*"))


def test_a_job_that_fails_is_told_of_and_the_others_finish(cli):
    done = cli(*ON_SLURM, "+experiment=extract_coq", "data.include=[Nowhere.v],[Bool/Zerob.v]", **WIDE)
    assert done.returncode == 1
    assert [cells[1] for cells in rows(done).values()] == ["failed", "done"], done.stderr[-3000:]
    lines = done.stderr.splitlines()
    (why,) = [i for i, line in enumerate(lines) if line.startswith("job 0 failed: ")]
    assert "Nowhere.v" in lines[why]
    assert "Nowhere.v" in Path(lines[why + 1].split("log: ")[1]).read_text()
    assert "Traceback" not in done.stderr


def test_submitting_without_waiting_and_collecting_later(cli, slurm):
    held = "+hydra.launcher.additional_parameters.hold=true"
    asked = ["+experiment=extract_coq", "data.include=[Nowhere.v],[Bool/Zerob.v]"]
    sent = cli(*ON_SLURM, "hydra.launcher.wait=false", held, *asked, **WIDE)
    assert sent.returncode == 0, sent.stderr[-3000:]
    assert [cells[1] for cells in rows(sent).values()] == ["pending", "pending"]
    collect = ["task=collect", f"sweep.directory={sweep_of(sent)}"]
    assert " ".join(collect) in sent.stderr

    (array,) = {job_id.split("_")[0] for job_id, state in slurm.squeue().items() if state == "PENDING"}
    slurm.scontrol("release", array)
    slurm.wait_for(lambda: slurm.squeue()[f"{array}_0"] == "FAILED")
    slurm.wait_for_state(f"{array}_1", "COMPLETED")
    done = cli(*collect, **WIDE)
    assert done.returncode == 1
    assert [cells[1] for cells in rows(done).values()] == ["failed", "done"], done.stderr[-3000:]
    assert sweep_of(done) == sweep_of(sent)


def test_a_job_that_was_killed_without_a_word_has_failed(cli, slurm):
    """Its own account still says that it runs."""
    held = "+hydra.launcher.additional_parameters.hold=true"
    asked = ["+experiment=extract_coq", "data.include=[Bool/Zerob.v]"]
    sent = cli(*ON_SLURM, "hydra.launcher.wait=false", held, *asked, **WIDE)
    (job_id,) = [job_id for job_id, state in slurm.squeue().items() if state == "PENDING"]
    slurm.run("scancel", job_id)
    slurm.wait_for_state(job_id, "CANCELLED")
    collected = cli("task=collect", f"paths.outputs={cli.outputs}", **WIDE)
    assert collected.returncode == 1
    assert sweep_of(collected) == sweep_of(sent)
    assert "job 0 failed: ended without a record (CANCELLED)" in collected.stderr


def test_a_job_that_does_not_fit_its_launcher_is_refused_at_once(cli, slurm):
    before = slurm.squeue().keys()
    line = cli.fail(*ON_SLURM, "+experiment=sft", "trainer.devices=2")
    assert "trainer.devices=2" in line and "hydra.launcher.tasks_per_node" in line
    assert slurm.squeue().keys() == before


def test_what_sbatch_refuses_is_one_clear_line(cli):
    line = cli.fail(*ON_SLURM, "+experiment=sft", "hydra.launcher.partition=nowhere")
    assert "SLURM refused the jobs" in line and "partition" in line
