"""Ending a group of processes that no namespace holds together, and what has left the group."""

from __future__ import annotations

import contextlib
import os
import signal

from ntp.sandbox.proc import descendants, marked

# One round finds what the one before was too early for; a chain of forks cannot keep this busy for ever.
_MAX_ROUNDS = 20
_NUM_IN_VAIN = 2


def end_group(leader: int, mark: str) -> None:
    """Kill a group, all that hangs below its leader, and all that carry a mark.

    They are stopped before any is killed: who runs on starts others meanwhile, and nobody knows the children
    of the dead.

    Args:
        leader: Its id is the group's.
        mark: See `marked`.
    """
    stopped: set[int] = set()
    num_in_vain = 0
    _signal_group(leader, signal.SIGSTOP)
    for _ in range(_MAX_ROUNDS):
        found = {*descendants(leader)[1:], *marked(mark)} - stopped
        # Between two programs a process carries no mark for a moment: one look in vain is not enough.
        num_in_vain = 0 if found else num_in_vain + 1
        if num_in_vain == _NUM_IN_VAIN:
            break
        _signal(found, signal.SIGSTOP)
        stopped |= found
    _signal(stopped, signal.SIGKILL)
    _signal_group(leader, signal.SIGKILL)


def _signal(pids: set[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, number)


def _signal_group(leader: int, number: signal.Signals) -> None:
    with contextlib.suppress(OSError):
        os.killpg(leader, number)
