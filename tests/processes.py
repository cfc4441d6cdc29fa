"""Looking at other processes, which may end at any moment."""

import contextlib
import os
import time
from collections.abc import Callable

import psutil


def wait_until(condition: Callable[[], object], timeout_s: float = 30.0) -> bool:
    """Whether a condition has held at one look, within some seconds."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie, whose end is for its new parent to notice, does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def alive_in(group: int) -> list[int]:
    """Processes of a group, wherever they hang."""
    found = []
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(pid) == group and alive(pid):
                found.append(pid)
    return found
