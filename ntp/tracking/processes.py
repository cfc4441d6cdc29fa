"""Several processes that run one command: the main one writes, the others help it to train.

Lightning starts them as further runs of the same command on one machine, SLURM as tasks of one job.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from lightning.pytorch.utilities import rank_zero_only

from ntp.tracking.run_dir import is_complete


def is_main() -> bool:
    """Whether this is the process of rank 0, or the only one."""
    return rank_zero_only.rank == 0


def await_main(directory: Path, poll_s: float = 1.0) -> None:
    """Wait until the main process has completed what it writes to a directory.

    Raises:
        SystemExit: The process that started this one has ended.
    """
    parent = os.getppid()
    while not is_complete(directory):
        if os.getppid() != parent:
            raise SystemExit(1)
        time.sleep(poll_s)
