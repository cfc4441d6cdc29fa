"""Submits the jobs of a sweep to SLURM and waits for them, for the launcher `hydra_plugins.ntp_slurm`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.core.singleton import Singleton

from ntp.errors import ConfigError, NtpError
from ntp.workflow.sweep.records import FAILED, Job, write_job
from ntp.workflow.sweep.status import wait_for_jobs


def place(job_overrides: Sequence[Sequence[str]], tasks_per_node: int, nodes: int) -> list[list[str]]:
    """Add the devices and nodes that the launcher requests to the overrides of every job.

    Raises:
        SystemExit: A job already has other ones.
    """
    placement = {"trainer.devices": tasks_per_node, "trainer.num_nodes": nodes}
    placed = []
    for overrides in job_overrides:
        given = dict(override.split("=", 1) for override in overrides if "=" in override)
        for key, value in placement.items():
            if given.get(key, str(value)) != str(value):
                _fail(
                    ConfigError(
                        f"the launcher gives each job {tasks_per_node} tasks on each of {nodes} nodes, and "
                        f"{key}={given[key]}: leave that out, or set hydra.launcher.tasks_per_node and .nodes"
                    )
                )
        missing = [f"{key}={value}" for key, value in placement.items() if key not in given]
        placed.append([*overrides, *missing])
    return placed


def submit(
    executor: Any, function: Callable[..., Any], sweep: Path, overrides: Mapping[int, Sequence[str]]
) -> None:
    """Submit jobs and write a record of each.

    Args:
        executor: Submitit's executor.
        function: Runs a job; has the signature of `BaseSubmititLauncher.__call__`.
        sweep: The sweep's directory.
        overrides: The overrides of each job, by its number.

    Raises:
        SystemExit: SLURM is missing or refuses the jobs.
    """
    state = Singleton.get_state()
    arguments = [
        (list(words), "hydra.sweep.dir", number, f"job {number}", state)
        for number, words in overrides.items()
    ]
    try:
        with _outside_any_job():
            jobs = executor.map_array(function, *zip(*arguments, strict=True))
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        line = " ".join(str(error).split())
        _fail(ConfigError(f"SLURM refused the jobs: {line}"))
    for (number, words), job in zip(overrides.items(), jobs, strict=True):
        write_job(sweep, Job(number, tuple(words), str(job.paths.stderr), job.job_id))
    print(f"submitted {len(jobs)} jobs to SLURM: {', '.join(job.job_id for job in jobs)}", file=sys.stderr)


def wait(sweep: Path) -> dict[int, float | None]:
    """Wait until all jobs have ended.

    Returns:
        The objective of each job by its number; NaN for a job that failed.

    Raises:
        SystemExit: The user interrupted the wait; the jobs continue.
    """
    try:
        found = wait_for_jobs(sweep, lambda line: print(line, file=sys.stderr, flush=True))
    except KeyboardInterrupt:
        command = f"python -m ntp.run task=collect sweep.directory={sweep}"
        print(f"the jobs continue; to see their status: {command}", file=sys.stderr, flush=True)
        sys.exit(130)
    return {s.job.number: float("nan") if s.status == FAILED else s.objective for s in found}


@contextmanager
def _outside_any_job() -> Iterator[None]:
    """Hide the job that this process may be part of: sbatch would use its limits as defaults."""
    hidden = {}
    if "SLURM_JOB_ID" in os.environ:
        hidden = {
            name: os.environ.pop(name)
            for name in list(os.environ)
            if name.startswith(("SLURM_", "SUBMITIT_")) and name != "SLURM_CONF"
        }
    try:
        yield
    finally:
        os.environ.update(hidden)


def _fail(error: NtpError) -> None:
    print(f"error: {error}", file=sys.stderr, flush=True)
    sys.exit(1)
