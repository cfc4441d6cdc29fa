"""Process trees, their memory and CPU time, read from /proc."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterable
from pathlib import Path

_PAGE_BYTES = resource.getpagesize()
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    """Children of a process that have not been reaped; none if it has ended."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found += map(int, (thread / "children").read_bytes().split())
    return found


def descendants(pid: int) -> list[int]:
    """A process and its descendants. Complete only in a process namespace, in which it adopts orphans."""
    found = [pid]
    for process in found:
        found += children(process)
    return found


def marked(mark: str) -> list[int]:
    """Processes started with an environment variable NAME=VALUE, of those that this user may inspect."""
    found: list[int] = []
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit():
                variables = (process / "environ").read_bytes().split(b"\0")
                found += [int(process.name)] * (os.fsencode(mark) in variables)
    return found


def num_threads_of(uid: int) -> int:
    """Number of threads that a user has at the moment."""
    num_threads = 0
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit() and process.stat().st_uid == uid:
                num_threads += sum(1 for _ in (process / "task").iterdir())
    return num_threads


def resident_mb(pids: Iterable[int]) -> float:
    """Sum of their resident memory in MiB; shared memory is counted for each process."""
    num_pages = 0
    for pid in pids:
        with contextlib.suppress(OSError, IndexError):
            num_pages += int(Path(f"/proc/{pid}/statm").read_bytes().split()[1])
    return num_pages * _PAGE_BYTES / 2**20


def proportional_mb(pids: Iterable[int]) -> float:
    """Sum of their memory in MiB with shared memory counted once; slow, since the kernel walks all pages."""
    num_kb = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            num_kb += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return num_kb / 2**10


def cpu_s(pids: Iterable[int]) -> float:
    """CPU time of processes and of their children that have ended and been waited for, in seconds.

    In steps of a clock tick, 10 ms on most machines.
    """
    num_ticks = 0
    for pid in pids:
        with contextlib.suppress(OSError, IndexError):
            # The name of the program stands in parentheses and may hold anything.
            fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
            num_ticks += sum(map(int, fields[11:15]))  # utime, stime, cutime, cstime
    return num_ticks / _TICKS_PER_S


def used_mb(directory: Path) -> float:
    """Disk space of the files below a directory in MiB."""
    num_blocks = 0
    for place, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(OSError):
                num_blocks += Path(place, name).lstat().st_blocks
    return num_blocks / 2**11
