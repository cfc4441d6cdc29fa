"""Processes that want the same stage at once, some of which are killed or stopped while they have it."""

import os
import signal
import subprocess
import sys
import time

import pytest

from ntp.errors import ConfigError, NtpError
from ntp.workflow.lock import StageLock

# Makes a "stage" unless it is there; writes what it does to its output.
WORKER = """
import sys, time
from pathlib import Path
from ntp.tracking import owner
from ntp.workflow.lock import StageLock
directory, work_s, machine = Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
if machine:
    owner._machine = lambda: machine
say = lambda line: print(line, flush=True)
with StageLock(directory, say, beat_s=0.2, dead_after_s=1.5):
    if (directory / "COMPLETE").exists():
        say("found")
        sys.exit()
    directory.mkdir(exist_ok=True)
    with (directory / "log").open("a") as log:
        print("begin", file=log, flush=True)
        say("making")
        time.sleep(work_s)
        print("end", file=log, flush=True)
    (directory / "COMPLETE").touch()
"""


@pytest.fixture
def worker(tmp_path):
    """Starts a worker; all that are left are killed at the end."""
    processes = []

    def start(work_s=0.5, machine="", **environment):
        command = [sys.executable, "-c", WORKER, str(tmp_path / "stage"), str(work_s), machine]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()


def log(tmp_path):
    return (tmp_path / "stage/log").read_text().splitlines()


def test_of_many_at_once_one_makes_it_and_the_others_find_it(tmp_path, worker):
    processes = [worker() for _ in range(8)]
    outputs = [process.communicate(timeout=120)[0].splitlines() for process in processes]
    assert log(tmp_path) == ["begin", "end"]
    assert sorted(output[-1] for output in outputs) == ["found"] * 7 + ["making"]
    assert not list(tmp_path.glob(".stage.lock*"))


def test_one_of_those_waiting_takes_over_when_the_holder_is_killed(tmp_path, worker):
    first = worker(work_s=60)
    assert first.stdout.readline() == "making\n"
    others = [worker() for _ in range(4)]
    for other in others:
        assert f"process {first.pid}" in other.stdout.readline()
    first.kill()
    outputs = [other.communicate(timeout=60)[0].splitlines() for other in others]
    assert log(tmp_path) == ["begin", "begin", "end"]
    assert sorted(output[-1] for output in outputs) == ["found"] * 3 + ["making"]
    assert any("has died; taking over" in line for output in outputs for line in output)


def test_a_holder_that_stood_still_is_taken_over_and_gives_up_when_it_wakes(tmp_path, worker):
    """As one on another machine that lost its network: it cannot be looked at, and its touches stop."""
    first = worker(work_s=60, machine="another")
    assert first.stdout.readline() == "making\n"
    first.send_signal(signal.SIGSTOP)
    second = worker(work_s=3)
    assert "waiting" in second.stdout.readline()
    assert "taking over" in second.stdout.readline()
    assert second.stdout.readline() == "making\n"
    first.send_signal(signal.SIGCONT)
    assert "error: stage was taken over by another process" in first.communicate(timeout=30)[0]
    assert first.returncode == 1
    assert second.wait(30) == 0
    assert log(tmp_path) == ["begin", "begin", "end"]


def test_a_holder_that_works_for_long_is_waited_for(tmp_path, worker):
    """Several times as long as one that stands still, and it cannot be looked at."""
    first = worker(work_s=5, machine="another")
    assert first.stdout.readline() == "making\n"
    second = worker()
    assert second.communicate(timeout=60)[0].splitlines()[-1] == "found"
    assert log(tmp_path) == ["begin", "end"]


def test_a_holder_on_the_same_machine_is_waited_for_while_it_lives(tmp_path, worker):
    """However busy: a thread that touches files may not get to run for minutes."""
    first = worker(work_s=1)
    assert first.stdout.readline() == "making\n"
    first.send_signal(signal.SIGSTOP)
    second = worker()
    assert "waiting" in second.stdout.readline()
    time.sleep(3)
    assert log(tmp_path) == ["begin"]
    first.send_signal(signal.SIGCONT)
    assert second.communicate(timeout=30)[0] == "found\n"
    assert log(tmp_path) == ["begin", "end"]


def test_a_requeued_job_takes_over_from_its_earlier_life_at_once(worker):
    first = worker(work_s=60, SLURM_JOB_ID="7")
    assert first.stdout.readline() == "making\n"
    again = worker(SLURM_JOB_ID="7", SLURM_RESTART_COUNT="1")
    assert "SLURM job 7" in again.stdout.readline()
    assert "taking over" in again.stdout.readline()
    assert again.stdout.readline() == "making\n"


def test_one_that_was_forgotten_is_not_waited_for(tmp_path):
    lock = tmp_path / ".stage.lock"
    lock.write_text("")  # of a process killed between creating and writing it
    os.utime(lock, (time.time() - 7200, time.time() - 7200))
    said = []
    with StageLock(tmp_path / "stage", said.append):
        assert lock.read_text()
    assert said == ["stage: the other process has died; taking over"]
    assert not lock.exists()


def test_one_that_was_slow_to_take_over_leaves_the_lock_to_the_first(tmp_path):
    first, slow = (StageLock(tmp_path / "stage", print) for _ in range(2))
    with first:
        assert not slow._remove("what it saw before it fell asleep")
        assert first.path.read_text() == first._text
    assert not list(tmp_path.glob(".stage.lock*"))


def test_while_one_takes_over_no_other_does(tmp_path):
    lock, turn = tmp_path / ".stage.lock", tmp_path / ".stage.lock.turn"
    lock.write_text("of the dead")
    turn.write_text("")
    waiting = StageLock(tmp_path / "stage", print)
    assert not waiting._remove("of the dead")
    assert lock.exists()
    os.utime(turn, (time.time() - 7200, time.time() - 7200))  # it died within its turn
    assert not waiting._remove("of the dead")
    assert waiting._remove("of the dead")
    assert not list(tmp_path.glob(".stage.lock*"))


def test_a_place_that_cannot_be_written_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"), StageLock(tmp_path / "file/stage", print):
        pass


def test_the_lock_is_given_back_after_an_error(tmp_path):
    with pytest.raises(NtpError, match="boom"), StageLock(tmp_path / "stage", print):
        raise NtpError("boom")
    assert not list(tmp_path.glob(".stage.lock*"))


HELPER = """
import sys
from pathlib import Path
from ntp.workflow.lock import StageLock
directory = Path(sys.argv[1])
print(StageLock(directory, print).await_leader((directory / "COMPLETE").exists), flush=True)
"""


@pytest.fixture
def helper(tmp_path, worker):
    """Starts the second task of a SLURM job."""
    processes = []

    def start(**environment):
        process = subprocess.Popen(
            [sys.executable, "-c", HELPER, str(tmp_path / "stage")],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()


def test_a_helper_begins_when_the_leader_of_its_own_job_does(worker, helper):
    other = worker(work_s=60, SLURM_JOB_ID="7")
    assert other.stdout.readline() == "making\n"
    helper_of_other, helper_of_next = helper(SLURM_JOB_ID="7"), helper(SLURM_JOB_ID="8")
    assert helper_of_other.stdout.readline() == "True\n"
    other.kill()
    leader = worker(work_s=60, SLURM_JOB_ID="8")
    assert helper_of_next.stdout.readline() == "True\n"
    assert leader.poll() is None


def test_a_helper_does_not_begin_what_another_job_has_made(worker, helper):
    other = worker(work_s=2, SLURM_JOB_ID="7")
    assert other.stdout.readline() == "making\n"
    waiting = helper(SLURM_JOB_ID="8")
    assert waiting.stdout.readline() == "False\n"
    assert other.wait(30) == 0


def test_a_helper_started_by_its_leader_begins_at_once(tmp_path, helper):
    with StageLock(tmp_path / "stage", print):
        assert helper().stdout.readline() == "True\n"
