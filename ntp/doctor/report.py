"""Reports what this machine has of what experiments need, and the command that installs what is missing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from threading import Thread

from omegaconf import DictConfig
from rich.console import Console
from rich.text import Text

from ntp.doctor import checks
from ntp.doctor.probe import Finding
from ntp.errors import EnvError

# Timeout of all checks together, which run in parallel: one that hangs is reported and abandoned.
_PATIENCE_S = 9.0

# The name stands for a check that does not return. To check something else, add a function of the config.
CHECKS: dict[str, Callable[[DictConfig], list[Finding]]] = {
    "Python": checks.python,
    "libraries": checks.libraries,
    "GPU": checks.devices,
    "Coq": checks.coq,
    "Lean REPL": checks.lean,
    "isolation": checks.isolation,
    "SLURM": checks.slurm,
    "tracking": checks.tracking,
    "disk": checks.disk,
}

# The findings that each environment's factory requires.
_PROVERS = {
    "CoqEnvFactory": {"Coq", "Coq library"},
    "LeanReplFactory": {"Lean project", "Lean REPL"},
    "LeanDojoFactory": {"lake"},
}


def run(cfg: DictConfig) -> None:
    """Print what is installed and what is missing.

    Raises:
        EnvError: Something that the config needs is missing or broken: a library, the prover of `env`, the
            tracking store, the directory for outputs, or SLURM if `hydra/launcher` submits to it. Other
            missing parts are only shown.
    """
    findings = diagnose(cfg)
    print_findings(findings)
    wanting = [finding.name for finding in findings if finding.needed and not finding.ok]
    if wanting:
        names = ", ".join(wanting)
        raise EnvError(f"needed here, and missing or broken: {names}; the lines above say how to fix it")


def diagnose(
    cfg: DictConfig,
    looked_for: Mapping[str, Callable[[DictConfig], list[Finding]]] = CHECKS,
    patience_s: float = _PATIENCE_S,
) -> list[Finding]:
    """All findings, in order; a check that fails or hangs is itself a finding."""
    answers: dict[str, list[Finding]] = {}

    def look(name: str, check: Callable[[DictConfig], list[Finding]]) -> None:
        try:
            answers[name] = check(cfg)
        except Exception as error:  # one failing check must not hide the others
            answers[name] = [Finding(name, "", detail=" ".join(str(error).split()) or type(error).__name__)]

    threads = [Thread(target=look, args=item, daemon=True) for item in looked_for.items()]
    deadline = time.monotonic() + patience_s
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    silent = f"no answer within {patience_s:g} s"
    found = [f for name in looked_for for f in answers.get(name, [Finding(name, "", detail=silent)])]
    needed = _needed(cfg)
    return [replace(f, needed=f.needed or f.name in needed) for f in found]


def print_findings(findings: list[Finding], console: Console | None = None) -> None:
    """One line for each finding: its state, its name, what was found, and the command that fixes it."""
    console = console or Console()
    states = [finding.state + ", needed" * (finding.needed and not finding.ok) for finding in findings]
    width, name_width = max(map(len, states), default=0), max((len(f.name) for f in findings), default=0)
    for finding, state in zip(findings, states, strict=True):
        said = "; ".join(part for part in (finding.found, finding.detail) if part)
        line = Text(f"{state:{width}}", style="green" if finding.ok else "yellow" if finding.found else "red")
        line.append(f"  {finding.name:{name_width}}  {said}", style="default")
        if finding.fix:
            line.append(f"  -> {finding.fix}", style="bold")
        # A line stays one line, so that it can be searched for and its command copied.
        console.print(line, soft_wrap=True)


def _needed(cfg: DictConfig) -> set[str]:
    """Names of the findings that the config requires."""
    names = {"libraries", "tracking", "outputs"}
    names |= _PROVERS.get(str(cfg.env._target_).rpartition(".")[2], set())
    if checks.submits_to_slurm():
        names.add("SLURM")
    return names
