"""Distributed runs: the main process writes the results, the others only train.

Lightning starts the others with the same command on one machine, SLURM as tasks of one job.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from ntp.tracking.run_dir import is_complete

# In the main process each of these is 0 or unset; in every other process at least one is above 0.
_RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID")


def is_main() -> bool:
    """Whether this is the process of rank 0, or the only one."""
    return all(os.environ.get(name, "0") == "0" for name in _RANKS)


def local_rank() -> int:
    """This process's number among those of this machine."""
    return int(os.environ.get("LOCAL_RANK") or os.environ.get("SLURM_LOCALID") or 0)


def await_main(directory: Path, poll_s: float = 1.0) -> None:
    """Wait until the main process has marked a directory complete.

    Raises:
        SystemExit: The parent process has ended.
    """
    parent = os.getppid()
    while not is_complete(directory):
        if os.getppid() != parent:
            raise SystemExit(1)
        time.sleep(poll_s)
