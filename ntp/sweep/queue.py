"""What SLURM says about jobs."""

from __future__ import annotations

import getpass
import subprocess
from collections.abc import Mapping

_TIMEOUT_S = 60.0

WAITING = ("PENDING", "REQUEUED", "REQUEUE_HOLD", "SPECIAL_EXIT", "SUSPENDED")
ACTIVE = ("RUNNING", "CONFIGURING", "COMPLETING", "STAGE_OUT", "SIGNALING", "RESIZING", "STOPPED")


def queue_states() -> Mapping[str, str] | None:
    """The state of each job of this user, by id (`12_3` for one of an array).

    Returns:
        Jobs that ended some minutes ago are not in it. None when SLURM does not answer.
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
