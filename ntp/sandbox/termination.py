"""Ends a process group that has no namespace, including processes that have left the group."""

from __future__ import annotations

import contextlib
import os
import signal

from ntp.sandbox.proc import descendants, marked

# Every round finds processes started during the previous one; the limit is for endless chains of forks.
_MAX_ROUNDS = 20
_NUM_EMPTY_ROUNDS = 2


def end_group(leader: int, mark: str) -> None:
    """Kill a group, all descendants of its leader, and all processes with a mark.

    All are stopped before any is killed: a running process could start others meanwhile, and the children of
    a dead process cannot be found through it.

    Args:
        leader: Id of the process that leads the group.
        mark: See `marked`.
    """
    stopped: set[int] = set()
    num_empty = 0
    _signal_group(leader, signal.SIGSTOP)
    for _ in range(_MAX_ROUNDS):
        found = {*descendants(leader)[1:], *marked(mark)} - stopped
        # While a process executes a new program it has no mark for a moment: one empty round is not enough.
        num_empty = 0 if found else num_empty + 1
        if num_empty == _NUM_EMPTY_ROUNDS:
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
