import threading

import pytest

from ntp.errors import DataError
from ntp.tracking.owner import Owner
from ntp.workflow.sweep import status
from ntp.workflow.sweep.records import DONE, FAILED, JOB_FILE, RUNNING, Job, Progress, read_jobs
from ntp.workflow.sweep.status import PENDING, REQUEUED, UNKNOWN, statuses, wait_for_jobs


def test_jobs_of_this_machine_stand_as_they_say_while_they_live(sweep):
    for number in range(5):
        sweep.job(number)
    sweep.says(0, DONE, objective=1.5, summary={"num_steps": 3})
    sweep.says(1, FAILED, error="no such file")
    sweep.says(2, RUNNING)
    sweep.says(3, RUNNING, is_alive=False)
    found = statuses(sweep.path)
    assert [s.status for s in found] == [DONE, FAILED, RUNNING, FAILED, PENDING]
    assert (found[0].objective, found[0].summary) == (1.5, {"num_steps": 3})
    assert found[1].error == "no such file" and not found[1].is_lost
    assert found[3].is_lost and "without a record" in found[3].error


@pytest.mark.parametrize(
    ("said", "state", "expected"),
    [
        (None, "PENDING", PENDING),
        (RUNNING, "PENDING", REQUEUED),
        (FAILED, "PENDING", REQUEUED),
        (RUNNING, "RUNNING", RUNNING),
        (None, "CONFIGURING", RUNNING),
        (DONE, "COMPLETING", DONE),
        (FAILED, "FAILED", FAILED),
        (RUNNING, "CANCELLED", FAILED),
        (None, "NODE_FAIL", FAILED),
        (DONE, None, DONE),
        (RUNNING, None, FAILED),
    ],
)
def test_jobs_of_slurm_stand_as_the_queue_and_they_say(said, state, expected):
    job = Job(0, (), "log", "12_0")
    progress = said and Progress(said, Owner.current())
    queue = {"12_0": state} if state else {}
    assert status._status(job, progress, queue).status == expected


@pytest.mark.parametrize(
    ("said", "expected"), [(None, UNKNOWN), (RUNNING, UNKNOWN), (DONE, DONE), (FAILED, FAILED)]
)
def test_a_queue_that_does_not_answer_ends_no_job(said, expected):
    progress = said and Progress(said, Owner.current())
    assert status._status(Job(0, (), "log", "12_0"), progress, None).status == expected


def test_waiting_lasts_until_all_have_ended_and_says_what_changes(sweep):
    sweep.job(0)
    sweep.job(1)
    sweep.says(0, DONE)
    sweep.says(1, RUNNING)
    lines = []
    threading.Timer(1.5, sweep.says, (1, FAILED), {"error": "boom"}).start()
    found = wait_for_jobs(sweep.path, lines.append)
    assert [s.status for s in found] == [DONE, FAILED]
    assert lines == ["1 done, 1 running", "1 done, 1 failed"]


def test_a_lost_job_may_still_be_heard_of(sweep):
    """On a file system of many machines its last word arrives after it has left the queue."""
    sweep.job(0)
    sweep.says(0, RUNNING, is_alive=False)
    threading.Timer(1.5, sweep.says, (0, DONE)).start()
    (found,) = wait_for_jobs(sweep.path, print, settle_s=60.0)
    assert found.status == DONE


def test_a_corrupt_record_is_named(sweep):
    sweep.job(0)
    path = sweep.path / "0" / JOB_FILE
    path.write_text("{}")
    with pytest.raises(DataError, match=JOB_FILE):
        read_jobs(sweep.path)
