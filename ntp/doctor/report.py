"""Reports what this machine has of what experiments need, and the command that installs what is missing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from threading import Thread

from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

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
        raise EnvError(f"needed here, and missing or broken: {names}; the table says how to fix it")


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
    """A table of findings, each with the command that fixes it."""
    table = Table(title="This machine", title_justify="left")
    for column in ("what", "found", "to fix it", "detail"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        mark = "[green]ok[/]" if finding.ok else "[red]missing[/]" if not finding.found else "[yellow]![/]"
        needed = ", needed" if finding.needed and not finding.ok else ""
        table.add_row(f"{finding.name} {mark}{needed}", finding.found, finding.fix, finding.detail)
    (console or Console()).print(table)


def _needed(cfg: DictConfig) -> set[str]:
    """Names of the findings that the config requires."""
    names = {"libraries", "tracking", "outputs"}
    names |= _PROVERS.get(str(cfg.env._target_).rpartition(".")[2], set())
    if checks.submits_to_slurm():
        names.add("SLURM")
    return names
