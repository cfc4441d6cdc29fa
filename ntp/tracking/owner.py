"""Identifies the process that works on something, so that other processes and machines can check on it."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Owner:
    """A process, distinguishable from later ones with the same number.

    Attributes:
        host: Name of its machine.
        machine: Identity of the running kernel and of the PID namespace in which `pid` is valid.
        pid: Its process id.
        started: When it was started, by a monotonic clock if there is one: in ticks since boot on Linux,
            elsewhere in seconds since the epoch.
        slurm_job: The SLURM job that it belongs to, `12_3` for a job of an array; None outside SLURM.
        num_restarts: How often that job had been requeued.
    """

    host: str
    machine: str
    pid: int
    started: float
    slurm_job: str | None
    num_restarts: int

    @staticmethod
    def current() -> Owner:
        """This process."""
        return Owner(
            host=socket.gethostname(),
            machine=_machine(),
            pid=os.getpid(),
            started=_started(os.getpid()),
            slurm_job=slurm_job_id(),
            num_restarts=slurm_restarts(),
        )

    def is_alive(self) -> bool | None:
        """Whether the process is still running; None if this machine cannot tell."""
        same_job = self.slurm_job is not None and self.slurm_job == slurm_job_id()
        if same_job and self.num_restarts < slurm_restarts():
            return False  # a job is requeued when its processes are gone
        if self.machine != _machine():
            return None
        try:
            status = psutil.Process(self.pid).status()
            return status != psutil.STATUS_ZOMBIE and _started(self.pid) == self.started
        except psutil.NoSuchProcess:
            return False

    def leads_this(self) -> bool:
        """Whether the current process works for it: as another task of its SLURM job, or as its child."""
        if self.slurm_job is not None and self.slurm_job == slurm_job_id():
            return self.num_restarts == slurm_restarts()
        return self.machine == _machine() and self.pid == os.getppid()

    def __str__(self) -> str:
        job = f", SLURM job {self.slurm_job}" if self.slurm_job else ""
        return f"process {self.pid} on {self.host}{job}"


def slurm_job_id() -> str | None:
    """The SLURM job that this process belongs to, `12_3` for a job of an array; None outside SLURM."""
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    return f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}" if array else os.environ.get("SLURM_JOB_ID")


def slurm_restarts() -> int:
    """How often the SLURM job of this process has been requeued."""
    return int(os.environ.get("SLURM_RESTART_COUNT", 0))


def _started(pid: int) -> float:
    try:
        # The fields from the 3rd on follow the last ")": the name before it may contain anything.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return psutil.Process(pid).create_time()
    return float(fields[19])


@cache
def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()
