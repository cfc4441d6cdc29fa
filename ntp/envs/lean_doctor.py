"""What of Lean is on this machine, what is missing, and the command that mends it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ntp.envs.lean_factory import LeanReplFactory
from ntp.envs.lean_server import SETUP_COMMAND
from ntp.errors import NtpError
from ntp.types import Proved, Span, Theorem

_VERSION_TIMEOUT_S = 20.0
_ELAN = "curl -sSfL https://elan.lean-lang.org/elan-init.sh | sh -s -- -y"
_PROBE = Theorem("doctor", "", "theorem doctor (p : Prop) (h : p) : p", Span(0, 0), Span(0, 0), "-- doctor")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked for.

    Attributes:
        name: What.
        found: Its version or place; empty when it is missing.
        mend: The command that mends it; empty when there is nothing to mend.
        detail: What else to know, in one line.
    """

    name: str
    found: str
    mend: str = ""
    detail: str = ""

    @property
    def ok(self) -> bool:
        """Whether it is there and works."""
        return bool(self.found) and not self.mend


def lean_findings(make_env: LeanReplFactory) -> list[Finding]:
    """Lean's tools on PATH, the project, and whether the REPL of a configuration proves a theorem."""
    tools = [
        version_of("elan", ["elan", "--version"], _ELAN),
        version_of("lake", ["lake", "--version"], SETUP_COMMAND),
    ]
    if make_env.project is not None:
        tools.append(project_finding(Path(make_env.project)))
    return [*tools, repl_finding(make_env)]


def version_of(name: str, command: Sequence[str], mend: str) -> Finding:
    """The first line that a program says about its version."""
    if shutil.which(command[0]) is None:
        return Finding(name, "", mend, "not on PATH")
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_VERSION_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding(name, "", mend, f"does not start: {error}")
    said = (done.stdout.strip() or done.stderr.strip()).splitlines()
    if done.returncode != 0 or not said:
        return Finding(name, "", mend, " ".join(said)[-200:] or f"exit status {done.returncode}")
    return Finding(name, said[0])


def project_finding(directory: Path) -> Finding:
    """Whether a directory is a Lake project that has been built."""
    toolchain = directory / "lean-toolchain"
    if not toolchain.is_file():
        return Finding("Lean project", "", "env.project=/path/to/project", f"{toolchain} is missing")
    if not (directory / ".lake").is_dir():
        return Finding("Lean project", str(directory), f"cd {directory} && lake build", "not built")
    return Finding("Lean project", f"{directory} ({toolchain.read_text(encoding='utf-8').strip()})")


def repl_finding(make_env: LeanReplFactory) -> Finding:
    """Whether the REPL proves a theorem, re-check included."""
    command = " ".join(make_env.command)
    env = make_env()
    try:
        session = env.open(_PROBE)
        outcome = session.step(session.root, "exact h")
    except NtpError as error:
        return Finding("Lean REPL", "", SETUP_COMMAND, str(error))
    finally:
        env.close()
    if outcome == Proved():
        return Finding("Lean REPL", command)
    return Finding("Lean REPL", command, SETUP_COMMAND, f"does not prove p from p: {outcome}")
