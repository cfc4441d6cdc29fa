"""Write PALM's projects as Coq sources and build them; the table says why one does not build."""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import MISSING, DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table

from ntp.bounds import PositiveFloat
from ntp.data.coq.build import build, build_commands, missing
from ntp.data.coq.palm import PalmProject, read_projects
from ntp.envs.coq.factory import CoqEnvFactory
from ntp.envs.coq.project import CoqProject
from ntp.errors import ConfigError, DataError
from ntp.jsonl import atomic_write, write_jsonl
from ntp.sandbox.limits import Limits
from ntp.tasks.needs import prover_reads
from ntp.tracking.progress import ProgressReporter
from ntp.workflow.context import Context
from ntp.workflow.digest import path_digest
from ntp.workflow.task import Task

PROJECTS = "projects.jsonl"
THEOREMS = "theorems.jsonl"
BUILT, PARTLY, FAILED = "built", "partly built", "failed"
_RETRY_S = 300.0
_WANTS_ANOTHER = re.compile(r"Cannot find a physical path|Unable to locate library")
_HINT = "give data=palm data.path=FOLDER, the folder that has path.json"


@dataclass(frozen=True)
class PalmDataOptions:
    """Projects as PALM stores them.

    Attributes:
        path: Folder with `path.json` and a folder of JSON files for each project.
        build_minutes: Longest build of one project.
        source: Where data comes from.
    """

    path: str = MISSING
    build_minutes: PositiveFloat = 30.0
    source: str = "palm"


@dataclass(frozen=True, slots=True)
class PalmResult:
    """What became of a project.

    Attributes:
        name: Its name; its sources are in the folder of that name.
        status: `built`, `partly built` or `failed` (no file is compiled).
        reason: Why the first file that fails does not compile, in one line; empty if all do.
        num_files: Source files.
        num_failed_files: Those without a compiled file.
        num_theorems: Theorems of PALM's list.
        num_failed_theorems: Those in files that do not compile.
        seconds: Wall time.
    """

    name: str
    status: str
    reason: str
    num_files: int
    num_failed_files: int
    num_theorems: int
    num_failed_theorems: int
    seconds: float


def run(context: Context) -> dict[str, float]:
    """Write and build every project."""
    cfg = context.cfg
    factory = instantiate(cfg.env)
    projects = read_projects(Path(cfg.data.path))
    results: list[PalmResult] = []
    with ProgressReporter("build", len(projects), "projects") as progress:
        for project in projects:
            results.append(_make(project, context.directory / project.name, factory, cfg))
            progress.advance(1, f"{project.name}: {results[-1].status}")
    write_jsonl(context.directory / PROJECTS, results)
    theorems = [
        {"project": p.name, "file": t.file, "name": t.name, "kind": t.kind}
        for p in projects
        for t in p.theorems
    ]
    with atomic_write(context.directory / THEOREMS) as stream:
        stream.writelines(json.dumps(theorem) + "\n" for theorem in theorems)
    Console(stderr=True).print(_table(results))
    if all(result.status == FAILED for result in results):
        raise DataError(f"none of {len(results)} projects builds; {results[0].name}: {results[0].reason}")
    return {
        "num_projects": len(results),
        "num_built_projects": sum(result.status == BUILT for result in results),
        **{
            name: sum(getattr(result, name) for result in results)
            for name in ("num_files", "num_failed_files", "num_theorems", "num_failed_theorems")
        },
    }


def _make(palm: PalmProject, directory: Path, factory: CoqEnvFactory, cfg: DictConfig) -> PalmResult:
    begin = time.monotonic()
    palm.write(directory)
    project = CoqProject(directory, (palm.load_path,), factory.installation)
    limits: Limits = replace(factory.limits, file_mb=1024, scratch_mb=1024, processes=512)
    reason = build(project, build_commands(directory)[0], limits, 60 * cfg.data.build_minutes)
    failed = set(missing(project))
    status = BUILT if not failed else FAILED if len(failed) == len(palm.sources) else PARTLY
    return PalmResult(
        palm.name,
        status,
        (_reason(project, sorted(failed), limits) or reason) if failed else "",
        len(palm.sources),
        len(failed),
        len(palm.theorems),
        sum(theorem.file in failed for theorem in palm.theorems),
        time.monotonic() - begin,
    )


def _reason(project: CoqProject, failed: Sequence[str], limits: Limits) -> str:
    """Coq's error in the first file that does not fail for want of another one."""
    for file in failed:
        command = shlex.join([*project.compiler_command(file), file])
        said = build(project, ["sh", "-c", f"{command} 2>&1 | tr '\\n' ' ' >&2; exit 1"], limits, _RETRY_S)
        message = said[said.find('File "') :].removesuffix(" (exit status 1)")
        if 'File "' in said and _WANTS_ANOTHER.search(message) is None:
            return " ".join(message.split())
    return ""


def _table(results: Sequence[PalmResult]) -> Table:
    table = Table(title="PALM's projects")
    for name in ("project", "status", "files", "failed", "theorems", "failed", "reason"):
        table.add_column(name)
    for r in results:
        numbers = (r.num_files, r.num_failed_files, r.num_theorems, r.num_failed_theorems)
        table.add_row(r.name, r.status, *map(str, numbers), r.reason)
    return table


def _reads(cfg: DictConfig) -> dict[str, Any]:
    version = instantiate(cfg.env).installation.version
    return {"palm": path_digest(Path(cfg.data.path)), "prover": version, **prover_reads(cfg)}


def _check(cfg: DictConfig) -> None:
    if cfg.data.source != "palm" or OmegaConf.is_missing(cfg.data, "path"):
        raise ConfigError(f"PALM's projects are not given: {_HINT}")
    if not Path(cfg.data.path).is_dir():
        raise ConfigError(f"data.path={cfg.data.path} is no folder: {_HINT}")
    if not isinstance(instantiate(cfg.env), CoqEnvFactory):
        raise ConfigError("PALM's projects are built by Coq: give env=coq")


TASK = Task(name="import_palm", run=run, reads=_reads, check=_check)
