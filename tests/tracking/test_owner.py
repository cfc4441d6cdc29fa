import dataclasses
import os
import subprocess
import sys

import pytest

from ntp.tracking.owner import Owner


@pytest.fixture
def other():
    """The owner that another process is, and that process."""
    code = "from ntp.tracking.owner import Owner; o = Owner.current(); print(o.pid, o.started); input()"
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    pid, started = process.stdout.readline().split()
    yield dataclasses.replace(Owner.current(), pid=int(pid), started=float(started)), process
    process.kill()
    process.wait()


def test_a_process_has_ended_when_it_was_killed(other):
    owner, process = other
    assert owner.is_alive() is True
    process.kill()
    assert process.wait() and owner.is_alive() is False


def test_a_killed_process_that_nobody_has_reaped_has_ended(other):
    owner, process = other
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert owner.is_alive() is False


def test_a_later_process_of_the_same_number_is_another(other):
    owner, _ = other
    assert dataclasses.replace(owner, started=owner.started - 60).is_alive() is False


def test_nothing_is_known_of_another_machine(other):
    owner, process = other
    process.kill()
    process.wait()
    assert dataclasses.replace(owner, machine="another").is_alive() is None


def test_a_requeued_job_knows_that_its_earlier_life_is_over(monkeypatch):
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "12")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    before = dataclasses.replace(Owner.current(), machine="another", pid=1)
    assert before.slurm_job == "12_3" and "SLURM job 12_3" in str(before)
    assert before.is_alive() is None, "another task of the same life"
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert before.is_alive() is False
