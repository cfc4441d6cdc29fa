"""Jobs that SLURM takes off their node go on where they were; jobs of several tasks train as one process."""

import json
import time

import pytest
import torch

pytestmark = [pytest.mark.slurm, pytest.mark.coq, pytest.mark.slow]

GFN = [
    "policy.experiment=null",
    "trainer.max_time=null",
    "trainer.accelerator=cpu",
    "module.num_theorems=3",
    "module.num_on_policy=3",
]
LAUNCHER = ["hydra/launcher=slurm_cpu", "hydra.launcher.cpus_per_task=1", "hydra.launcher.timeout_min=30"]


@pytest.fixture(scope="module")
def gfn(small, sft_policy):
    options = [
        "trainer.max_steps=12",
        "tracking.checkpoint_every_n_steps=2",
        f"policy.checkpoint={sft_policy}",
    ]
    return ["+experiment=gfn_tb", *small, *GFN, *options]


@pytest.fixture(scope="module")
def undisturbed(cli, gfn):
    return cli.succeed(*gfn)


def weights(directory):
    return torch.load(directory / "last.ckpt", weights_only=True)["state_dict"]


def numbers(directory):
    summary = json.loads((directory / "summary.json").read_text())
    return {name: value for name, value in summary.items() if name != "wall_s"}


@pytest.mark.parametrize("how", ["USR2", "requeue"])
def test_a_preempted_job_ends_as_the_undisturbed_run(slurm, cli, gfn, undisturbed, how, tmp_path):
    own, directory = cli.with_outputs(tmp_path, keeping="extract_coq-*"), tmp_path / undisturbed.name
    process = own.begin("-m", *gfn, *LAUNCHER)
    checkpoint = directory / "last.ckpt"
    slurm.wait_for(lambda: checkpoint.exists() or process.poll() is not None, timeout_s=200)
    assert process.poll() is None, process.communicate()[1][-3000:]
    (job,) = [name for name, state in slurm.squeue().items() if state == "RUNNING"]
    run_id = (directory / "mlflow_run_id").read_text()
    if how == "USR2":  # what SLURM sends in good time, and submitit answers by a requeue
        slurm.run("scancel", "--signal=USR2", job)
    else:  # what SLURM does by itself: it tells the job, waits for a while, and takes it off its node
        slurm.run("scancel", "--signal=TERM", job)
        slurm.wait_for(
            lambda: any("stopped by SIGTERM" in log.read_text() for log in tmp_path.rglob("*.err"))
        )
        time.sleep(2)
        assert slurm.squeue()[job] == "RUNNING", "a job that ends by itself is not put back into the queue"
        slurm.scontrol("requeue", job)
    slurm.hurry(job)
    interrupted_at = torch.load(checkpoint, weights_only=True)["global_step"]
    assert 0 < interrupted_at < 12, "the run was over before it could be preempted"
    _, said = process.communicate(timeout=250)
    assert process.returncode == 0, said[-3000:]
    assert "Restarts=1" in slurm.scontrol("show", "job", job), "one requeuer only"
    ours, theirs = weights(directory), weights(undisturbed)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert numbers(directory) == numbers(undisturbed)
    assert (directory / "mlflow_run_id").read_text() == run_id
    assert not list(tmp_path.glob(f"{directory.name}.*")), "nothing was begun again"


def test_a_job_on_two_nodes_trains_as_one_process(slurm, cli, gfn, undisturbed, tmp_path):
    # Names of nodes that are one machine mean nothing to its resolver.
    address = 'hydra.launcher.setup=["export MASTER_ADDR=127.0.0.1"]'
    launcher = [*LAUNCHER, "hydra.launcher.nodes=2", "trainer.num_nodes=2", address]
    done = cli.with_outputs(tmp_path, keeping="extract_coq-*")("-m", *gfn, *launcher)
    assert done.returncode == 0, done.stderr[-3000:]
    directory = tmp_path / undisturbed.name
    ours, theirs = weights(directory), weights(undisturbed)
    for name in theirs:
        torch.testing.assert_close(ours[name], theirs[name], atol=1e-4, rtol=0)
    assert numbers(directory)["num_steps"] == 12
