"""What this machine has of what experiments need, and the command that mends what is missing."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from ntp.config.register import compose_config
from ntp.envs.coq_project import INSTALL_COMMAND
from ntp.envs.lean_doctor import Finding, lean_findings, version_of
from ntp.envs.limits import Limits
from ntp.envs.sandbox import AUTO, description, trouble_of
from ntp.envs.sandbox import INSTALL_COMMAND as INSTALL_BUBBLEWRAP
from ntp.errors import NtpError

_MIN_FREE_GB = 10


def diagnose(cfg: DictConfig) -> list[Finding]:
    """Everything that is looked for, in the order of `CHECKS`."""
    return [finding for check in CHECKS for finding in check(cfg)]


def print_findings(findings: list[Finding], console: Console | None = None) -> None:
    """A table of findings, each with the command that mends it."""
    table = Table(title="doctor", title_justify="left")
    for column in ("what", "found", "to mend it", "detail"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        mark = "[green]ok[/]" if finding.ok else "[red]missing[/]" if not finding.found else "[yellow]![/]"
        table.add_row(f"{finding.name} {mark}", finding.found, finding.mend, finding.detail)
    (console or Console()).print(table)


def _python(cfg: DictConfig) -> list[Finding]:  # noqa: ARG001
    return [
        Finding("Python", f"{platform.python_version()} ({sys.executable})"),
        Finding("torch", torch.__version__),
        Finding("CPU cores", str(len(os.sched_getaffinity(0)))),
    ]


def _devices(cfg: DictConfig) -> list[Finding]:  # noqa: ARG001
    if not torch.cuda.is_available():
        return [Finding("GPU", "none", detail="small models only; everything else runs without one")]
    return [
        Finding(f"GPU {i}", torch.cuda.get_device_name(i), detail=_memory(i))
        for i in range(torch.cuda.device_count())
    ]


def _memory(device: int) -> str:
    free, total = torch.cuda.mem_get_info(device)
    return f"{free / 2**30:.0f} of {total / 2**30:.0f} GiB free"


def _coq(cfg: DictConfig) -> list[Finding]:
    program = cfg.env.get("coqidetop", "coqidetop.opt")
    return [version_of("Coq", [program, "--version"], INSTALL_COMMAND)]


def _lean(cfg: DictConfig) -> list[Finding]:
    lean = "LeanReplFactory" in cfg.env._target_
    chosen = cfg.env if lean else compose_config(["name=doctor", "env=lean_repl"]).env
    return lean_findings(instantiate(chosen))


def _isolation(cfg: DictConfig) -> list[Finding]:
    try:
        found = description(Limits(isolation=cfg.env.get("isolation", AUTO)))
    except NtpError as error:
        return [Finding("isolation", "", INSTALL_BUBBLEWRAP, str(error))]
    trouble = trouble_of("bubblewrap")
    return [Finding("isolation", found, INSTALL_BUBBLEWRAP if trouble else "", trouble)]


def _disk(cfg: DictConfig) -> list[Finding]:
    outputs = Path(cfg.paths.outputs)
    there = next(path for path in (outputs, *outputs.parents) if path.exists())
    free_gb = shutil.disk_usage(there).free / 1e9
    mend = "" if free_gb >= _MIN_FREE_GB else f"free some of {there}, or paths.outputs=/elsewhere"
    found = [Finding("disk", f"{free_gb:.0f} GB free", mend, str(there))]
    if not os.access(there, os.W_OK):
        found.append(Finding("outputs", "", "paths.outputs=/a/place/of/yours", f"{there} is read-only"))
    return found


# To look for something more, add a function of the config that returns findings.
CHECKS: tuple[Callable[[DictConfig], list[Finding]], ...] = (
    _python,
    _devices,
    _coq,
    _lean,
    _isolation,
    _disk,
)
