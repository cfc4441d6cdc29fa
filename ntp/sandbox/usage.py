"""Whether a prover uses more than it may."""

from __future__ import annotations

import os
from pathlib import Path

from ntp.sandbox.isolation import SCRATCH
from ntp.sandbox.limits import Limits
from ntp.sandbox.proc import descendants, proportional_mb, resident_mb, used_mb


def broken_limit(limits: Limits, program: int, cwd: Path | None) -> tuple[str, str] | None:
    """The limit that a program and all that it has started break together, and how.

    Args:
        limits: What they may use.
        program: Id of its process.
        cwd: Its temporary directory; None for one that the sandbox gave it.
    """
    group = descendants(program)
    if len(group) > limits.processes:
        return "processes", f"more than {limits.processes} processes"
    # What forked processes share is counted often: only when that is too much is it looked at closely.
    if resident_mb(group) > limits.memory_mb < proportional_mb(group):
        return "memory", f"more than {limits.memory_mb} MiB of memory"
    if _is_full(program) if cwd is None else used_mb(cwd) > limits.scratch_mb:
        return "scratch", f"more than {limits.scratch_mb} MiB in its temporary directory"
    return None


def _is_full(program: int) -> bool:
    try:
        return os.statvfs(f"/proc/{program}/root{SCRATCH}").f_bavail == 0
    except OSError:
        return False
