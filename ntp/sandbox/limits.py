"""Resource limits and isolation of one child process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ntp.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one child together with all processes that it starts.

    Attributes:
        memory_mb: Address space of each process (RLIMIT_AS), and memory of all of them together, in MiB.
        file_mb: Largest file that may be written (RLIMIT_FSIZE) in MiB.
        answer_mb: Largest answer that is read in MiB; the child is killed if an answer is longer.
        processes: Maximum number of processes at a time.
        scratch_mb: Size of its temporary directory in MiB.
        sysroot: Directory that the child sees as `/`; None for the root of this machine.
        visible: With a sysroot, the paths of this machine that the child sees too, under the same names.
        isolation: A name in `ntp.sandbox.isolation.SANDBOXES`, or "auto" for the best that works here.

    Raises:
        ConfigError: A number is not positive.
    """

    memory_mb: int = 4096
    file_mb: int = 16
    answer_mb: int = 64
    processes: int = 64
    scratch_mb: int = 64
    isolation: str = "auto"
    sysroot: Path | None = None
    visible: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        for name in ("memory_mb", "file_mb", "answer_mb", "processes", "scratch_mb"):
            if getattr(self, name) < 1:
                raise ConfigError(f"limits of a prover: {name}={getattr(self, name)}: must be at least 1")
