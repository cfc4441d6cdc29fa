"""The status of a sweep's jobs, from their records and from SLURM's queue."""

from __future__ import annotations

import getpass
import json
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ntp.workflow.sweep.records import DONE, FAILED, RUNNING, Job, Progress, read_jobs, read_progress

_TIMEOUT_S = 60.0

WAITING = ("PENDING", "REQUEUED", "REQUEUE_HOLD", "SPECIAL_EXIT", "SUSPENDED")
ACTIVE = ("RUNNING", "CONFIGURING", "COMPLETING", "STAGE_OUT", "SIGNALING", "RESIZING", "STOPPED")


def queue_states() -> Mapping[str, str] | None:
    """The state of each job of this user, by id (`12_3` for a job of an array).

    Returns:
        The states; SLURM drops jobs some minutes after their end. None if SLURM does not answer.
    """
    command = ["squeue", "--noheader", "--array", "--states=all", "--format=%i %T"]
    try:
        done = subprocess.run(
            [*command, "--user", getpass.getuser()],
            capture_output=True,
            text=True,
            check=True,
            timeout=_TIMEOUT_S,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return dict(line.split() for line in done.stdout.splitlines())


PENDING, REQUEUED, UNKNOWN = "pending", "requeued", "unknown"

_MIN_POLL_S, _MAX_POLL_S = 1.0, 30.0
# A record written on another node may become visible here later than the job's end in the queue.
_SETTLE_S = 20.0


@dataclass(frozen=True)
class JobStatus:
    """The status of a job.

    Attributes:
        job: The job as it was submitted.
        status: `pending`, `running`, `requeued`, `done`, `failed`, or `unknown` while SLURM does not answer.
        directory: Its output directory, once it is known.
        objective: The objective of a finished job, if the sweep has one.
        error: Why it failed, in one line.
        summary: The summary of a finished job.
        is_lost: It failed without recording why, or its record is not visible here yet.
    """

    job: Job
    status: str
    directory: str | None
    objective: float | None
    error: str | None
    summary: Mapping[str, float]
    is_lost: bool = False

    @property
    def has_ended(self) -> bool:
        """Whether it is done or failed."""
        return self.status in (DONE, FAILED)


def statuses(sweep: Path) -> list[JobStatus]:
    """The status of every job.

    Raises:
        DataError: A record is corrupt.
    """
    jobs = read_jobs(sweep)
    # The queue first, so that whatever a job wrote before it left the queue can be read.
    queue = queue_states() if any(job.slurm_job for job in jobs) else {}
    return [_status(job, read_progress(sweep, job.number), queue) for job in jobs]


def wait_for_jobs(sweep: Path, say: Callable[[str], None], settle_s: float = _SETTLE_S) -> list[JobStatus]:
    """Wait until every job has ended.

    Args:
        sweep: The sweep's directory.
        say: Called with a line whenever a job starts or ends.
        settle_s: Seconds that a job must be lost before it counts as ended.
    """
    begun = time.monotonic()
    lost_since: dict[int, float] = {}
    said = ""
    while True:
        found = statuses(sweep)
        if (line := _counts(found)) != said:
            said = line
            say(line)
        now = time.monotonic()
        lost_since = {s.job.number: lost_since.get(s.job.number, now) for s in found if s.is_lost}
        settled = all(now - since >= settle_s for since in lost_since.values())
        if settled and all(status.has_ended for status in found):
            return found
        time.sleep(min(_MAX_POLL_S, _MIN_POLL_S + (now - begun) / 20))


def _status(job: Job, progress: Progress | None, queue: Mapping[str, str] | None) -> JobStatus:
    state = queue.get(job.slurm_job) if queue is not None and job.slurm_job else None
    status, error = _judge(job, progress, state, has_answered=queue is not None)
    directory = progress.directory if progress else None
    return JobStatus(
        job=job,
        status=status or FAILED,
        directory=directory,
        objective=progress.objective if progress else None,
        error=error if status else f"ended without a record ({state or 'killed?'}); its log may say more",
        summary=_summary(directory) if directory and status == DONE else {},
        is_lost=status is None,
    )


def _judge(
    job: Job, progress: Progress | None, state: str | None, has_answered: bool
) -> tuple[str | None, str | None]:
    """Status and error. A job that is in the queue will run, whatever it recorded before it was requeued.

    Returns:
        The status, None if the job has ended without recording one, and the error.
    """
    if state in WAITING:
        return (REQUEUED if progress else PENDING), None
    if progress is not None and progress.status != RUNNING:
        return progress.status, progress.error
    if state in ACTIVE:
        return RUNNING, None
    if not has_answered:
        return UNKNOWN, None
    if job.slurm_job is None and (progress is None or progress.owner.is_alive() is not False):
        return (RUNNING if progress else PENDING), None
    return None, None


def _summary(directory: str) -> dict[str, float]:
    try:
        return json.loads((Path(directory) / "summary.json").read_text(encoding="utf-8"))
    except FileNotFoundError:  # moved or deleted in the meantime
        return {}


def _counts(found: list[JobStatus]) -> str:
    names = [s.status for s in found]
    return ", ".join(f"{names.count(name)} {name}" for name in dict.fromkeys(sorted(names)))
