"""Builds a Coq project in the sandbox: a repository's build files are programs that nobody has read."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from ntp.envs.coq.build_files import is_skipped
from ntp.envs.coq.project import CoqProject
from ntp.errors import EnvError
from ntp.sandbox.deaths import DeadlineExceededError, ProcessDiedError
from ntp.sandbox.limits import Limits
from ntp.sandbox.process import ChildProcess

_DONE = b"ntp-build-exit-status "
# The last line tells how it ended; what it printed before is on standard error.
_SCRIPT = '"$@" >&2 < /dev/null; echo "ntp-build-exit-status $?"'


def missing(project: CoqProject) -> list[str]:
    """The sources without a compiled file."""
    built = project.root / "_build" / "default"
    return [
        file
        for file in project.files()
        if not project.path(file).with_suffix(".vo").exists()
        and not (built / file).with_suffix(".vo").exists()
    ]


def build_commands(root: Path) -> list[list[str]]:
    """Commands that may build a project, by its build files; the first that is there is used."""
    commands: list[list[str]] = []
    for name in ("_CoqProject", "_RocqProject"):
        if (root / name).is_file() and _names_sources(root / name):
            commands.append(
                ["sh", "-c", f"coq_makefile -f {name} -o Makefile.ntp && make -k -f Makefile.ntp"]
            )
    if (root / "dune-project").is_file() and shutil.which("dune"):
        commands.append(["dune", "build", "--profile=release", "--root=."])
    if any((root / name).is_file() for name in ("Makefile", "makefile", "GNUmakefile")):
        commands.append(["make", "-k"])
    return commands


def build(project: CoqProject, command: Sequence[str], limits: Limits, timeout_s: float) -> str:
    """Run a build command in the project's directory, which alone it may write to, without network.

    A git repository that it makes there is removed.

    Args:
        project: The project.
        command: The command, as words.
        limits: Limits of the build.
        timeout_s: Seconds.

    Returns:
        Why it failed, in one line; empty if it did not.
    """
    argv = ["sh", "-c", _SCRIPT, "build", *command]
    repository = project.root / ".git"
    had_one = os.path.lexists(repository)
    try:
        with ChildProcess(argv, limits, directory=project.root, writable=[project.root]) as child:
            answer = child.exchange(b"", b"\n", 1, timeout_s)
            said = child.stderr.splitlines() or [""]
    except (DeadlineExceededError, ProcessDiedError, EnvError, OSError) as error:
        return f"{' '.join(command)}: {error}"
    finally:
        if not had_one:
            _remove(repository)
    status = answer.removeprefix(_DONE).strip().decode()
    errors = [line for line in said if "rror" in line] or said
    return "" if status == "0" else f"{' '.join(command)}: {errors[-1].strip()} (exit status {status})"


def _remove(path: Path) -> None:
    """Remove a repository that a build has made: its configuration names programs that git would run."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _names_sources(path: Path) -> bool:
    text = path.read_text(encoding="utf-8", errors="replace")
    return any(word.endswith(".v") and not is_skipped(Path(word).parts) for word in text.split())
