"""A sweep's records on disk: a folder for each job with its submission and its progress."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ntp.jsonl import atomic_write, dump_record, load_record
from ntp.tracking.owner import Owner

JOB_FILE = "job.json"
PROGRESS_FILE = "progress.json"
PARENT_FILE = "parent.json"

RUNNING, DONE, FAILED = "running", "done", "failed"


@dataclass(frozen=True)
class Job:
    """A job as it was submitted.

    Attributes:
        number: Its number within the sweep, from 0.
        overrides: Its overrides.
        log: The file that its errors are written to.
        slurm_job: Its id in SLURM, `12_3` for a job of an array; None for a job on this machine.
    """

    number: int
    overrides: tuple[str, ...]
    log: str
    slurm_job: str | None = None


@dataclass(frozen=True)
class Progress:
    """The progress that a job has recorded.

    Attributes:
        status: `running`, `done` or `failed`.
        owner: Its process.
        directory: Its output directory, once it is known.
        objective: The summary's `cfg.objective`.
        error: Why it failed, in one line.
    """

    status: str
    owner: Owner
    directory: str | None = None
    objective: float | None = None
    error: str | None = None


@dataclass(frozen=True)
class Parent:
    """The MLflow parent run of the jobs' runs.

    Attributes:
        uri: Tracking URI.
        run_id: Its id.
    """

    uri: str
    run_id: str


def job_folder(sweep: Path, number: int) -> Path:
    """The directory of a job's records."""
    return sweep / str(number)


def write_job(sweep: Path, job: Job) -> None:
    """Write the record of a submitted job."""
    _write(job_folder(sweep, job.number) / JOB_FILE, job)


def write_progress(sweep: Path, number: int, progress: Progress) -> None:
    """Replace a job's progress."""
    _write(job_folder(sweep, number) / PROGRESS_FILE, progress)


def read_jobs(sweep: Path) -> list[Job]:
    """The jobs submitted so far, in order.

    Raises:
        DataError: A record is corrupt.
    """
    jobs = [load_record(path, Job) for path in sweep.glob(f"*/{JOB_FILE}")]
    return sorted(jobs, key=lambda job: job.number)


def read_progress(sweep: Path, number: int) -> Progress | None:
    """A job's last progress; None if it has not started.

    Raises:
        DataError: The record is corrupt.
    """
    path = job_folder(sweep, number) / PROGRESS_FILE
    return load_record(path, Progress) if path.exists() else None


def write_parent(sweep: Path, parent: Parent) -> None:
    """Write the record of the sweep's own run, before its jobs start."""
    _write(sweep / PARENT_FILE, parent)


def read_parent(sweep: Path) -> Parent | None:
    """The sweep's own run; None if it has none.

    Raises:
        DataError: The record is corrupt.
    """
    path = sweep / PARENT_FILE
    return load_record(path, Parent) if path.exists() else None


def distinct_overrides(jobs: Sequence[Job]) -> list[str]:
    """For each job, the overrides that not all jobs have; all of them if there is only one job."""
    shared = set.intersection(*(set(job.overrides) for job in jobs)) if len(jobs) > 1 else set()
    return [" ".join(o for o in job.overrides if o not in shared) for job in jobs]


def _write(path: Path, record: Job | Progress | Parent) -> None:
    with atomic_write(path) as stream:
        stream.write(dump_record(record) + "\n")
