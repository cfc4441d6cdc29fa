"""Another root file system, such as a distribution's or a container image's, that a process sees as `/`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from ntp.errors import ConfigError

_ROOT = PurePosixPath("/")
# They have contents of their own in every sandbox.
_OWN = frozenset({"dev", "proc", "sys", "tmp", "run"})
# Where programs are looked for, in addition to PATH.
PROGRAMS = ("/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin")
_MAX_LINKS = 40


def require_sysroot(directory: Path, option: str) -> None:
    """Refuse a directory that is no root file system.

    Args:
        directory: The directory.
        option: What gave it, for the message.

    Raises:
        ConfigError: It is not a directory, or has no programs.
    """
    if not directory.is_dir():
        raise ConfigError(f"{option}={directory} is not a directory")
    if not any(host_path(directory, programs).is_dir() for programs in PROGRAMS):
        raise ConfigError(f"{option}={directory} is no root file system: it has no /usr/bin")


def host_path(sysroot: Path, path: str | PurePosixPath) -> Path:
    """Where a path of a root file system is on this machine. Links are followed as that system would."""
    inside, found = list(PurePosixPath(path).parts), sysroot
    for _ in range(_MAX_LINKS * len(inside) + _MAX_LINKS):
        if not inside:
            break
        part = inside.pop(0)
        if part == "/":
            found = sysroot
        elif part == "..":
            found = found.parent if found != sysroot else sysroot
        elif (found / part).is_symlink():
            inside[:0] = (found / part).readlink().parts
        else:
            found /= part
    return found


def find_program(sysroot: Path, name: str) -> str | None:
    """Path of a program as the root file system names it; None if it is not there."""
    candidates = [name] if "/" in name else [f"{directory}/{name}" for directory in PROGRAMS]
    return next((path for path in candidates if host_path(sysroot, path).is_file()), None)


def mounts(sysroot: Path, visible: Sequence[Path]) -> list[str]:
    """Arguments of bubblewrap that mount a root file system, its entries read-only.

    Args:
        sysroot: Its directory.
        visible: Paths that are mounted later.
    """
    return list(_mounts(sysroot, _ROOT, [PurePosixPath(path) for path in visible]))


def _mounts(directory: Path, at: PurePosixPath, visible: Sequence[PurePosixPath]) -> Iterator[str]:
    """The entries of a directory one by one, so that mount points can be made next to them."""
    for entry in sorted(directory.iterdir()):
        inside = at / entry.name
        if (at == _ROOT and entry.name in _OWN) or inside in visible:
            continue
        if entry.is_symlink():
            yield from ("--symlink", str(entry.readlink()), str(inside))
        elif entry.is_dir() and any(path.is_relative_to(inside) for path in visible):
            yield from ("--dir", str(inside))
            yield from _mounts(entry, inside, visible)
        else:
            yield from ("--ro-bind", str(entry), str(inside))
