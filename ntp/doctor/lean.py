"""Which parts of Lean are installed, which are missing, and the command that fixes it."""

from __future__ import annotations

from pathlib import Path

from ntp.doctor.probe import Finding, version_of
from ntp.envs.lean.client import SETUP_COMMAND
from ntp.envs.lean.factory import LeanReplFactory
from ntp.errors import NtpError
from ntp.types import Proved, Span, Theorem

_ELAN = "curl -sSfL https://elan.lean-lang.org/elan-init.sh | sh -s -- -y"
_PROBE = Theorem("probe", "", "theorem probe (p : Prop) (h : p) : p", Span(0, 0), Span(0, 0), "-- probe")


def lean_findings(make_env: LeanReplFactory) -> list[Finding]:
    """Lean's tools on PATH, the project, and whether the REPL of a configuration proves a theorem."""
    tools = [
        version_of("elan", ["elan", "--version"], _ELAN),
        version_of("lake", ["lake", "--version"], SETUP_COMMAND),
    ]
    if make_env.project is not None:
        tools.append(project_finding(Path(make_env.project)))
    return [*tools, repl_finding(make_env)]


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
