"""Compare policies on whole projects: one evaluation for each, and tables over all of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from ntp.errors import ConfigError
from ntp.evaluation.html import Section
from ntp.evaluation.inspection import read_results
from ntp.evaluation.projects import (
    Projects,
    flat_projects,
    joined,
    outcome_rows,
    pair_rows,
    project_rows,
)
from ntp.evaluation.proof_log import ProofLog, flat_log
from ntp.evaluation.report import build_report, log_sections, markdown, page, summary_metrics
from ntp.evaluation.table import rich_table
from ntp.jsonl import write_jsonl
from ntp.tasks.evaluate import LOG_FILES, check, read_logs, results_file
from ntp.tasks.proving.projects import projects_of
from ntp.workflow.context import Context
from ntp.workflow.plan import Needs
from ntp.workflow.stage import read
from ntp.workflow.task import Task

_ROLE = "project"


def run(context: Context) -> dict[str, float]:
    """Join the results of all projects and write tables."""
    cfg, options = context.cfg, context.cfg.evaluation
    directories = {
        role.removeprefix(f"{_ROLE}/"): path
        for role, path in context.inputs.items()
        if role.startswith(f"{_ROLE}/")
    }
    projects = {name: read_results(directory) for name, directory in directories.items()}
    _require_same_methods(projects)
    groups = joined(projects)
    for method, results in groups.items():
        write_jsonl(context.directory / results_file(method), results)
    logs = _logs(directories)
    for method, of_method in logs.items():
        write_jsonl(context.directory / LOG_FILES.format(method), of_method)
    seed, resamples = cfg.seed, options.bootstrap_samples
    results = [result for of_method in groups.values() for result in of_method]
    pairs = [(str(one), str(other)) for one, other in options.comparisons]
    title = f"{cfg.name}: {len(next(iter(groups.values()))):,} theorems of {len(projects)} projects"
    report = build_report(title, results, options.baseline, seed, resamples, pairs)
    tables = [Section("Projects: solved of the theorems asked for", *project_rows(projects))]
    tables.append(Section("Projects: outcomes", *outcome_rows(projects)))
    if len(groups) > 1:
        tables.append(Section("All pairs of methods", *pair_rows(projects, seed, resamples)))
    report = replace(report, extra=(*tables, *log_sections(logs)))
    context.write({"report.md": markdown(report), "report.html": page(report)})
    context.write({"projects.json": json.dumps({name: str(path) for name, path in directories.items()})})
    Console().print(rich_table(title, *project_rows(projects)))
    flat = summary_metrics(report) | flat_projects(projects, seed, resamples)
    for method, of_method in logs.items():
        flat |= flat_log(method, of_method)
    return flat


def _require_same_methods(projects: Projects) -> None:
    methods = [list(groups) for groups in projects.values()]
    if any(set(found) != set(methods[0]) for found in methods):
        raise ConfigError("the projects have not the same methods: run it again with force=true")


def _logs(directories: dict[str, Path]) -> dict[str, list[ProofLog]]:
    """The logs of all projects by method, with the project's name before the theorem's."""
    found: dict[str, list[ProofLog]] = {}
    before, _, after = LOG_FILES.partition("{}")
    for project, directory in directories.items():
        for path in sorted(directory.glob(LOG_FILES.format("*"))):
            method = path.name.removeprefix(before).removesuffix(after)
            found.setdefault(method, []).extend(
                replace(log, theorem=f"{project}:{log.theorem}", file=f"{project}/{log.file}")
                for log in read_logs(path)
            )
    return found


def _needs(needs: Needs) -> None:
    cfg = needs.cfg
    for project in projects_of(cfg):
        needs.add(
            f"{_ROLE}/{project.name}",
            ["+experiment=search_eval"],
            name=f"project_{project.name}",
            evaluation=cfg.evaluation,
            search=cfg.search,
            instructions=cfg.instructions,
            export=cfg.export,
            policy=cfg.policy,
            verifier=cfg.verifier,
            aggregation=cfg.aggregation,
            **project.sections(cfg),
        )


def _check(cfg: DictConfig) -> None:
    if cfg.data.source != "coq":
        raise ConfigError("projects are Coq's: choose data=coq_core, or leave data as it is")
    projects_of(cfg)
    check(cfg)


TASK = Task(
    name="project_eval",
    run=run,
    reads=lambda cfg: read(cfg, "projects", "evaluation.baseline", "evaluation.comparisons", "seed"),
    needs=_needs,
    check=_check,
)
