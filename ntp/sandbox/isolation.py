"""Isolation of a prover from the machine: model-written text can make it do anything.

Three ways, the best first. Which of them work is found by trying them, once per process: version numbers do
not tell whether an administrator allows namespaces. In every way there are limits on memory, files, answers
and the number of processes.
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

AUTO = "auto"
INSTALL_COMMAND = "apt-get install bubblewrap"
# Where a prover in bubblewrap works.
SCRATCH = Path("/tmp")
# Emptied: what others leave in /tmp, and the sockets of the machine's services.
_HIDDEN = (SCRATCH, Path("/run"))
_TRIAL_TIMEOUT_S = 10.0
# The kernel's limit counts threads, and is there in case that the watch is late.
_THREADS_PER_PROCESS = 8
_UNPRIVILEGED = ("--unshare-user", "--cap-drop", "ALL")
# Ids that no system gives to anybody.
_FIRST_FREE_UID, _NUM_FREE_UIDS = 1 << 30, 1 << 29
# The first process of a namespace is deaf to signals from inside, and has to reap: no prover knows of that.
_FIRST_PROCESS = ("sh", "-c", '"$@"; exit $?', "sh")
# The end of the kernel's scale.
_MOST_KILLABLE = 1000
_announcing = threading.Lock()
_announced: set[Limits] = set()


@dataclass(frozen=True)
class Sandbox:
    """One way to keep a process apart.

    Attributes:
        name: As in the config.
        keeps: What it keeps from a prover, in words.
        num_wrappers: Processes between the one that is started and the prover. The first below the one that
            is started is the first of a namespace: when it is killed, so are all others in it.
        wrap: Command line in front of the prover's, from the limits, the paths that must stay readable (the
            first one is the directory to work in) and those that must be writable.
    """

    name: str
    keeps: str
    num_wrappers: int
    wrap: Callable[[Limits, Sequence[Path], Sequence[Path]], list[str]]

    @property
    def has_own_scratch(self) -> bool:
        """Whether a prover works in `SCRATCH`, a memory file system of its own."""
        return self.name == "bubblewrap"

    def command(
        self,
        argv: Sequence[str],
        limits: Limits,
        directory: Path | None = None,
        writable: Sequence[Path] = (),
    ) -> list[str]:
        """The command line that runs a program in the sandbox; out of memory, the kernel kills it first.

        Args:
            argv: Program and arguments. What these name stays readable, wherever it lies.
            limits: Resource limits.
            directory: Where it works; None for its scratch directory.
            writable: Existing directories in which it may write, besides its scratch.
        """
        # Outermost, where the kernel's settings can be written.
        return [*_first_to_be_killed(), *self.bare_command(argv, limits, directory, writable)]

    def bare_command(
        self,
        argv: Sequence[str],
        limits: Limits,
        directory: Path | None = None,
        writable: Sequence[Path] = (),
    ) -> list[str]:
        """As `command`, without the order in which the kernel kills."""
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
    command += ["--ro-bind", "/", "/", "--dev", "/dev", "--remount-ro", "/dev"]
    command += ["--proc", "/proc", "--remount-ro", "/proc"]
    for hidden in _HIDDEN:
        command += ["--size", str(limits.scratch_mb << 20), "--tmpfs", str(hidden)]
    for entry in _hidden_entries(readable):
        command += ["--ro-bind", str(entry), str(entry)]
    for hidden in _HIDDEN[1:]:
        command += ["--remount-ro", str(hidden)]
    for path in writable:
        command += ["--bind", str(path), str(path)]
    return [*command, "--chdir", str(readable[0]), "--", *_FIRST_PROCESS, *_own_user()]


def _hidden_entries(paths: Sequence[Path]) -> list[Path]:
    """What of the emptied directories is put back: whole entries, for a program needs what is next to it."""
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


def _in_the_open(limits: Limits, readable: Sequence[Path], writable: Sequence[Path]) -> list[str]:  # noqa: ARG001
    # In this order: a change of user forgets who has to die with whom.
    return [*_own_user(), *_die_with_parent()]


def _own_user() -> list[str]:
    """For root, whom no limit on processes binds: an id of its own, which may read and write all the same."""
    return _as_user(_FIRST_FREE_UID + secrets.randbelow(_NUM_FREE_UIDS)) if _can_change_user() else []


def _as_user(uid: int) -> list[str]:
    command = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--no-new-privs"]
    command += [f"--{kind}=-all,+dac_override" for kind in ("inh-caps", "ambient-caps", "bounding-set")]
    return [*command, "--"]


@functools.cache
def _can_change_user() -> bool:
    """Whether this is root, with the capabilities that containers may take from it."""
    return os.geteuid() == 0 and not _trouble([*_as_user(_FIRST_FREE_UID), "true"])


@functools.cache
def _first_to_be_killed() -> list[str]:
    """Else the kernel would choose the largest process, which is the trainer; nothing where that fails."""
    choom = ["choom", "-n", str(_MOST_KILLABLE), "--"]
    return [] if _trouble([*choom, "true"]) else choom


def _die_with_parent() -> list[str]:
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL"] if setpriv else []


SANDBOXES = {
    sandbox.name: sandbox
    for sandbox in (
        Sandbox("bubblewrap", "no network, read-only files, {scratch_mb} MB scratch", 2, _in_bubblewrap),
        Sandbox("unshare", "no network, a process namespace; files are open to it", 2, _in_unshare),
        Sandbox("limits", "network and files are open to it", 0, _in_the_open),
    )
}


@functools.cache
def find_sandbox(asked: str) -> Sandbox:
    """The sandbox of a name, tried out, or the best one that works here for "auto".

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


@functools.cache
def trouble_of(name: str) -> str:
    """Why a sandbox does not work on this machine, in one line; empty when it does."""
    return "" if name == "limits" else _trouble(SANDBOXES[name].bare_command(["true"], Limits()))


def _trouble(command: Sequence[str]) -> str:
    """Why a command that does nothing fails, in one line; empty when it does not."""
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
    """What isolation is active under some limits, in one line."""
    sandbox = find_sandbox(limits.isolation)
    keeps = sandbox.keeps.format(scratch_mb=limits.scratch_mb)
    better = ""
    if limits.isolation == AUTO and sandbox.name != "bubblewrap":
        better = f" [bubblewrap: {trouble_of('bubblewrap')}; `{INSTALL_COMMAND}`]"
    return f"{sandbox.name} ({keeps}), {limits.memory_mb} MB memory, {limits.processes} processes{better}"


def announce(limits: Limits) -> None:
    """Say on stderr, once per process for the same limits, what isolation is active."""
    with _announcing:
        if limits not in _announced:
            _announced.add(limits)
            print(f"provers: {description(limits)}", file=sys.stderr, flush=True)


def broken_limit(limits: Limits, program: int, cwd: Path | None) -> tuple[str, str] | None:
    """The limit that a program and all that it has started break together, and how.

    Args:
        limits: What they may use.
        program: Id of its process.
        cwd: Its temporary directory; None for one that the sandbox gave it.
    """
    group = descendants(program)
    if len(group) > limits.processes:
        return "processes", f"more than {limits.processes} processes"
    # What forked processes share is counted often: only when that is too much is it looked at closely.
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
