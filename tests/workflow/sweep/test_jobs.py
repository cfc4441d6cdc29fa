"""Sweeps: what becomes of their own run in MLflow, and which one `task=collect` tells of."""

import os
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from hydra_plugins.ntp_slurm import SlurmLauncher
from ntp.config.register import compose_config
from ntp.errors import PreemptedError
from ntp.tasks import collect
from ntp.tracking.owner import Owner
from ntp.workflow import runner
from ntp.workflow.sweep import jobs
from ntp.workflow.sweep.jobs import sigterm_interrupts
from ntp.workflow.sweep.records import (
    DONE,
    FAILED,
    Job,
    Parent,
    Progress,
    read_progress,
    write_job,
    write_parent,
    write_progress,
)


@pytest.fixture
def statuses(monkeypatch):
    """The status that each sweep's run is given."""
    found = []
    monkeypatch.setattr(jobs, "close_sweep", lambda uri, run_id, status: found.append(status))
    return found


@pytest.fixture
def job(tmp_path, monkeypatch):
    """Runs the only job of a sweep on this machine, which does what it is given."""
    hydra = SimpleNamespace(
        sweep=SimpleNamespace(dir=str(tmp_path)),
        job=SimpleNamespace(num=0),
        overrides=SimpleNamespace(task=["+experiment=sft"]),
    )
    monkeypatch.setattr(jobs.HydraConfig, "get", lambda: hydra)
    monkeypatch.setattr(runner, "stage_of", lambda cfg: SimpleNamespace(directory=tmp_path / "run"))
    write_parent(tmp_path, Parent("sqlite:///nowhere", "r1"))

    def run(work):
        monkeypatch.setattr(runner, "finish", lambda stage: work())
        return jobs.run_job(compose_config(["+experiment=sft"]))

    return run


def interrupt():
    raise KeyboardInterrupt


def preempt():
    raise PreemptedError(15, "asked to end")


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(10)


@pytest.mark.parametrize("how", [interrupt, preempt, terminate, lambda: sys.exit(1)])
def test_a_sweep_that_is_interrupted_is_said_to_be(tmp_path, job, statuses, how):
    with pytest.raises((KeyboardInterrupt, PreemptedError, SystemExit)):
        job(how)
    assert statuses == ["KILLED"]
    assert read_progress(tmp_path, 0).error == "interrupted"
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_jobs_that_end_leave_the_sweep_to_its_report(job, statuses):
    def fail():
        raise ValueError("boom")

    assert job(lambda: 0.5) == 0.5
    job(fail)
    assert statuses == []


def test_a_sweep_that_slurm_does_not_take_has_failed(tmp_path, statuses):
    write_parent(tmp_path, Parent("sqlite:///nowhere", "r1"))
    launcher = SlurmLauncher.__new__(SlurmLauncher)
    launcher.config = SimpleNamespace(hydra=SimpleNamespace(sweep=SimpleNamespace(dir=str(tmp_path))))
    launcher.params = {"tasks_per_node": 8, "nodes": 1}
    with pytest.raises(SystemExit):
        launcher.launch([["+experiment=sft", "trainer.devices=4"]], 0)
    assert statuses == ["FAILED"]


def test_sigterm_is_left_to_whoever_listens_for_it():
    heard = []
    before = signal.signal(signal.SIGTERM, lambda *_: heard.append("here"))
    try:
        with sigterm_interrupts():
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == ["here"]


def ended(directory: Path, number: int, status: str) -> None:
    write_job(directory, Job(number, ("+experiment=sft",), "log"))
    write_progress(directory, number, Progress(status, Owner.current(), error="boom"))


@pytest.mark.parametrize(("status", "code"), [(DONE, 0), (FAILED, 1)])
def test_a_report_does_not_depend_on_the_store(tmp_path, capsys, status, code):
    write_parent(tmp_path, Parent(f"sqlite:///{tmp_path}/mlflow.db", "r1"))  # which is not there any more
    ended(tmp_path, 0, status)
    assert jobs.report(tmp_path) == code
    assert capsys.readouterr().out == f"{tmp_path}\n"


def test_the_latest_sweep_is_told_of_whatever_became_of_others(tmp_path, capsys):
    sweeps = tmp_path / "sweeps"
    ended(sweeps / "2026-01-02", 0, DONE)
    (sweeps / "2026-01-01/0").mkdir(parents=True)
    (sweeps / "2026-01-01/0/job.json").write_text('{"schema": 1, "number": 0}\n')
    (sweeps / "2026-01-03").mkdir()  # nothing was given out
    collect.run(compose_config(["task=collect", "name=collect", f"paths.outputs={tmp_path}"]))
    assert capsys.readouterr().out == f"{sweeps}/2026-01-02\n"
