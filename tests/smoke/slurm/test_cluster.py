"""The cluster that the tests of this directory run on does what they take for granted."""

import pytest

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


@pytest.fixture
def sleeper(slurm, tmp_path):
    """A job that waits, and writes how often it was begun."""
    script = tmp_path / "job.sh"
    script.write_text(
        f"#!/bin/bash\n#SBATCH --output={tmp_path}/log --open-mode=append\n"
        "echo begun ${SLURM_RESTART_COUNT:-0}\nsrun sleep 60\n"
    )
    job_id = slurm.run("sbatch", "--parsable", str(script)).strip()
    yield job_id, tmp_path / "log"
    slurm.run("scancel", job_id)


def test_tasks_run_on_both_nodes_with_gpus_granted(slurm):
    printed = slurm.run(
        "srun", "--nodes=2", "--ntasks-per-node=8", "--gpus-per-node=8", "printenv", "SLURMD_NODENAME"
    )
    assert sorted(printed.split()) == ["ntp0"] * 8 + ["ntp1"] * 8


def test_a_requeued_job_begins_again_within_seconds(slurm, sleeper):
    job_id, log = sleeper
    slurm.wait_for(lambda: log.exists() and "begun 0" in log.read_text())
    slurm.scontrol("requeue", job_id)
    slurm.hurry(job_id)
    slurm.wait_for(lambda: "begun 1" in log.read_text(), timeout_s=40)
    slurm.wait_for_state(job_id, "RUNNING")
