"""Isolation of a prover from the machine, since model-written text can make a prover do anything.

There are three sandboxes, the best first. Which of them work is found out by trying them, once per process,
because version numbers do not tell whether an administrator allows namespaces. All of them limit memory,
files, answers and the number of processes.
"""

from __future__ import annotations

import functools
import os
import secrets
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ntp.errors import ConfigError, EnvError
from ntp.sandbox.limits import Limits
from ntp.sandbox.proc import descendants, num_threads_of, proportional_mb, resident_mb, used_mb
from ntp.sandbox.sysroot import PROGRAMS, mounts

AUTO = "auto"
INSTALL_COMMAND = "apt-get install bubblewrap"
# The working directory of a prover in bubblewrap.
SCRATCH = Path("/tmp")
# Empty inside bubblewrap: files of others in /tmp, and the sockets of the machine's services.
_HIDDEN = (SCRATCH, Path("/run"))
_TRIAL_TIMEOUT_S = 10.0
# The kernel's limit counts threads; it is a second line of defence if the watch is late.
_THREADS_PER_PROCESS = 8
_UNPRIVILEGED = ("--unshare-user", "--cap-drop", "ALL")
# User ids that no system assigns.
_FIRST_FREE_UID, _NUM_FREE_UIDS = 1 << 30, 1 << 29
# The first process of a namespace gets no signals from inside and must reap orphans, which a shell does and a
# prover does not.
_FIRST_PROCESS = ("sh", "-c", '"$@"; exit $?', "sh")
# The largest adjustment of the kernel's score by which it chooses what to kill when out of memory.
_MAX_OOM_SCORE_ADJ = 1000
_announcing = threading.Lock()
_announced: set[Limits] = set()


@dataclass(frozen=True)
class Sandbox:
    """One way to isolate a process.

    Attributes:
        name: As in the config.
        keeps: What it denies the prover, as text.
        num_wrappers: Number of processes between the one that is started and the prover. The child of the one
            that is started is the first of a namespace: if it is killed, all others in it are killed too.
        wrap: Command line in front of the prover's, from the limits, the paths that must stay readable (the
            first one is the working directory) and those that must be writable.
    """

    name: str
    keeps: str
    num_wrappers: int
    wrap: Callable[[Limits, Sequence[Path], Sequence[Path]], list[str]]

    @property
    def has_own_scratch(self) -> bool:
        """Whether a prover has its own memory file system at `SCRATCH`."""
        return self.name == "bubblewrap"

    def command(
        self,
        argv: Sequence[str],
        limits: Limits,
        directory: Path | None = None,
        writable: Sequence[Path] = (),
    ) -> list[str]:
        """The command line that runs a program in the sandbox; if memory runs out, the kernel kills it first.

        Args:
            argv: Program and arguments. Absolute paths among them stay readable.
            limits: Resource limits.
            directory: Working directory; None for its scratch directory.
            writable: Existing directories that it may write to, in addition to its scratch.
        """
        # Outermost, because the kernel's settings are not writable in the sandbox.
        return [*_killed_first(), *self.bare_command(argv, limits, directory, writable)]

    def bare_command(
        self,
        argv: Sequence[str],
        limits: Limits,
        directory: Path | None = None,
        writable: Sequence[Path] = (),
    ) -> list[str]:
        """As `command`, without asking the kernel to kill it first."""
        program = shutil.which(argv[0]) or argv[0]
        named = [Path(word) for word in (program, *argv) if word.startswith("/")]
        num_threads = limits.processes * _THREADS_PER_PROCESS
        if not self.num_wrappers and not _can_change_user():
            num_threads += num_threads_of(os.getuid())
        rlimits = [
            f"--as={limits.memory_mb << 20}",
            f"--fsize={limits.file_mb << 20}",
            "--core=0",
            f"--nproc={num_threads}",
        ]
        wrapped = self.wrap(limits, [directory or SCRATCH, *named], writable)
        return [*wrapped, "prlimit", *rlimits, "--", *argv]


def _in_bubblewrap(limits: Limits, readable: Sequence[Path], writable: Sequence[Path]) -> list[str]:
    # For root, bubblewrap would leave the kernel's settings in /proc/sys writable.
    command = ["bwrap", "--die-with-parent", *([] if _can_change_user() else _UNPRIVILEGED)]
    command += ["--unshare-pid", "--as-pid-1", "--unshare-ipc", "--unshare-uts", "--unshare-net"]
    visible = limits.visible if limits.sysroot else ()
    command += mounts(limits.sysroot, visible) if limits.sysroot else ["--ro-bind", "/", "/"]
    command += ["--dev", "/dev", "--remount-ro", "/dev"]
    command += ["--proc", "/proc", "--remount-ro", "/proc"]
    for hidden in _HIDDEN:
        command += ["--size", str(limits.scratch_mb << 20), "--tmpfs", str(hidden)]
    for entry in visible if limits.sysroot else _hidden_entries(readable):
        command += ["--ro-bind", str(entry), str(entry)]
    for hidden in _HIDDEN[1:]:
        command += ["--remount-ro", str(hidden)]
    for path in writable:
        command += ["--bind", str(path), str(path)]
        if (path / ".git").exists():  # its configuration names programs that git would run outside
            command += ["--ro-bind", str(path / ".git"), str(path / ".git")]
    if limits.sysroot:
        command += ["--remount-ro", "/"]
    return [*command, "--chdir", str(readable[0]), "--", *_FIRST_PROCESS, *_own_user()]


def _hidden_entries(paths: Sequence[Path]) -> list[Path]:
    """Entries of the hidden directories that contain these paths; a program needs the files next to it."""
    entries: dict[Path, None] = {}
    for path in (*paths, *(path.resolve() for path in paths)):
        for hidden in _HIDDEN:
            if path.is_relative_to(hidden) and path != hidden:
                entries[hidden / path.relative_to(hidden).parts[0]] = None
    return [entry for entry in entries if entry.exists()]


def _in_unshare(limits: Limits, readable: Sequence[Path], writable: Sequence[Path]) -> list[str]:  # noqa: ARG001
    user = [] if _can_change_user() else ["--user", "--map-current-user"]
    command = [*_die_with_parent(), "unshare", *user, "--net", "--ipc", "--pid"]
    command += ["--fork", "--kill-child=KILL", "--"]
    return [*command, *_FIRST_PROCESS, *_own_user()]


def _with_limits_only(limits: Limits, readable: Sequence[Path], writable: Sequence[Path]) -> list[str]:  # noqa: ARG001
    # In this order, because changing the user clears the parent-death signal.
    return [*_own_user(), *_die_with_parent()]


def _own_user() -> list[str]:
    """For root, to whom no limit on processes applies: run as an unused id that may still read and write."""
    return _as_user(_FIRST_FREE_UID + secrets.randbelow(_NUM_FREE_UIDS)) if _can_change_user() else []


def _as_user(uid: int) -> list[str]:
    command = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--no-new-privs"]
    command += [f"--{kind}=-all,+dac_override" for kind in ("inh-caps", "ambient-caps", "bounding-set")]
    return [*command, "--"]


@functools.cache
def _can_change_user() -> bool:
    """Whether this is root with the capability to change the user, which containers may lack."""
    return os.geteuid() == 0 and not _trouble([*_as_user(_FIRST_FREE_UID), "true"])


@functools.cache
def _killed_first() -> list[str]:
    """Prefix by which the kernel kills a program before the largest one, the trainer; empty if it fails."""
    choom = ["choom", "-n", str(_MAX_OOM_SCORE_ADJ), "--"]
    return [] if _trouble([*choom, "true"]) else choom


def _die_with_parent() -> list[str]:
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL"] if setpriv else []


SANDBOXES = {
    sandbox.name: sandbox
    for sandbox in (
        Sandbox("bubblewrap", "no network, read-only files, {scratch_mb} MB scratch", 2, _in_bubblewrap),
        Sandbox("unshare", "no network, a process namespace; files are open to it", 2, _in_unshare),
        Sandbox("limits", "network and files are open to it", 0, _with_limits_only),
    )
}


@functools.cache
def find_sandbox(asked: str) -> Sandbox:
    """The sandbox with a name, or for "auto" the best one that works on this machine.

    Raises:
        ConfigError: There is no such sandbox.
        EnvError: It does not work on this machine.
    """
    if asked == AUTO:
        return next(sandbox for sandbox in SANDBOXES.values() if not trouble_of(sandbox.name))
    if asked not in SANDBOXES:
        raise ConfigError(f"env.isolation={asked}: give one of {', '.join((AUTO, *SANDBOXES))}")
    trouble = trouble_of(asked)
    if trouble:
        fix = f"`{INSTALL_COMMAND}` (0.7 or newer), or " if asked == "bubblewrap" else ""
        raise EnvError(f"env.isolation={asked} does not work here ({trouble}): {fix}env.isolation=auto")
    return SANDBOXES[asked]


def sandbox_for(limits: Limits) -> Sandbox:
    """The sandbox that limits ask for.

    Raises:
        ConfigError: There is no such sandbox.
        EnvError: It does not work on this machine, or it cannot change the root.
    """
    sandbox = find_sandbox(limits.isolation)
    if limits.sysroot and sandbox.name != "bubblewrap":
        trouble = trouble_of("bubblewrap") or f"env.isolation={limits.isolation}"
        raise EnvError(f"env.sysroot needs bubblewrap ({trouble}): `{INSTALL_COMMAND}`")
    return sandbox


def environment(limits: Limits) -> dict[str, str]:
    """The environment of a child: with a root of its own, nothing that names files of this machine."""
    if limits.sysroot is None:
        return dict(os.environ)
    kept = {name: os.environ[name] for name in ("LANG", "LC_ALL") if name in os.environ}
    return {**kept, "HOME": "/", "PATH": ":".join((os.environ.get("PATH", ""), *PROGRAMS))}


@functools.cache
def trouble_of(name: str) -> str:
    """Why a sandbox does not work on this machine, in one line; empty if it works."""
    return "" if name == "limits" else _trouble(SANDBOXES[name].bare_command(["true"], Limits()))


def _trouble(command: Sequence[str]) -> str:
    """Why a trial command fails, in one line; empty if it does not."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TRIAL_TIMEOUT_S,
            start_new_session=True,
            check=False,
        )
    except FileNotFoundError as error:
        return f"{error.filename} is missing"
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if done.returncode == 0 else " ".join(done.stderr.split()) or f"exit status {done.returncode}"


def description(limits: Limits) -> str:
    """The isolation and limits that are in force, in one line."""
    sandbox = find_sandbox(limits.isolation)
    keeps = sandbox.keeps.format(scratch_mb=limits.scratch_mb)
    better = ""
    if limits.isolation == AUTO and sandbox.name != "bubblewrap":
        better = f" [bubblewrap: {trouble_of('bubblewrap')}; `{INSTALL_COMMAND}`]"
    where = f" in {limits.sysroot}" if limits.sysroot else ""
    return (
        f"{sandbox.name}{where} ({keeps}), {limits.memory_mb} MB memory, {limits.processes} processes{better}"
    )


def announce(limits: Limits) -> None:
    """Print to stderr, once per process for the same limits, which isolation is in force."""
    with _announcing:
        if limits not in _announced:
            _announced.add(limits)
            print(f"provers: {description(limits)}", file=sys.stderr, flush=True)


def broken_limit(limits: Limits, program: int, cwd: Path | None) -> tuple[str, str] | None:
    """The limit that a program and all processes it started exceed together, and a message; None if none.

    Args:
        limits: The limits.
        program: Id of the program's process.
        cwd: Its temporary directory; None if the sandbox has its own one.
    """
    group = descendants(program)
    if len(group) > limits.processes:
        return "processes", f"more than {limits.processes} processes"
    # The resident size counts shared memory several times; the slow, exact size is read only if needed.
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
