"""Read the kernel's terms of a data set's constants, and what each tactic adds to them. For Coq."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import as_completed
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig

from ntp.data.coq.dependencies import find_dependencies
from ntp.data.coq.modules import Library, find_library
from ntp.data.coq.step_terms import read_step_terms
from ntp.data.dataset import Dataset
from ntp.data.records import DERIVED, EXTERNAL, TheoremRecord
from ntp.data.terms import DEPENDENCIES, STEP_TERMS, TheoremTerms
from ntp.data.workers import worker_pool
from ntp.envs.coq.project import CoqProject
from ntp.errors import ConfigError
from ntp.jsonl import write_jsonl
from ntp.tasks.needs import add_dataset, prover_reads
from ntp.tracking.progress import ProgressReporter
from ntp.workflow.context import Context
from ntp.workflow.stage import read
from ntp.workflow.task import Task

# What the terms of tactics depend on.
STEP_TERM_OPTIONS = ("export.max_term_steps", "export.num_predictions")
_NO_CONSTANT = {DERIVED, EXTERNAL, "Notation", "Field"}
_TIMEOUT_S = 120.0


def run(context: Context) -> dict[str, float]:
    """Write the dependencies of constants and the terms of tactics."""
    project: CoqProject = instantiate(context.cfg.env).project
    return write_terms(project, context.inputs["dataset"], context.directory, context.cfg)


def write_terms(project: CoqProject, data: Path, directory: Path, cfg: DictConfig) -> dict[str, float]:
    """Read the terms of a data set.

    Args:
        project: The project that was extracted.
        data: Directory of the data set.
        directory: Where the terms go.
        cfg: Number of provers, the longest proof whose tactics are looked at, and the number of predictions.

    Raises:
        ConfigError: The data is not of Coq.
        EnvError: Coq is missing, CoqHammer is asked and missing, or a worker died.
    """
    dataset = Dataset.load(data)
    if dataset.metadata.prover != "coq":
        raise ConfigError(f"the data is of {dataset.metadata.prover}: proof terms are read for Coq only")
    library = find_library(project, project.files())
    num_workers = cfg.data.num_extract_workers
    dependencies = find_dependencies(project, library, _constants(dataset), num_workers)
    write_jsonl(directory / DEPENDENCIES, dependencies)
    terms = _step_terms(project, library, dataset, num_workers, cfg.export)
    write_jsonl(directory / STEP_TERMS, terms)
    return {
        "num_constants": sum(record.term is not None for record in dependencies),
        "num_theorems": len(terms),
        "num_theorems_unread": dataset.metadata.num_theorems - len(terms),
        "num_steps": sum(len(record.steps) for record in terms),
    }


def _constants(dataset: Dataset) -> dict[str, tuple[str, list[str]]]:
    """Names to print: for each file its module, and what it declares."""
    names: dict[str, dict[str, None]] = defaultdict(dict)
    for premise in dataset.premises:
        if premise.kind not in _NO_CONSTANT:
            names[premise.file].setdefault(premise.full_name)
    for record in dataset.iter_theorems():
        names[record.theorem.file].setdefault(record.theorem.id.partition("#")[0])
    return {file.path: (file.module, list(names[file.path])) for file in dataset.files if file.path in names}


def _step_terms(
    project: CoqProject, library: Library, dataset: Dataset, num_workers: int, options: DictConfig
) -> list[TheoremTerms]:
    by_file: dict[str, list[TheoremRecord]] = defaultdict(list)
    for record in dataset.iter_theorems():
        if len(record.steps) <= options.max_term_steps:
            by_file[record.theorem.file].append(record)
    sizes = {file: sum(len(record.steps) for record in records) for file, records in by_file.items()}
    found: dict[str, list[TheoremTerms]] = {}
    with (
        ProgressReporter("tactics", sum(sizes.values()), "tactics") as progress,
        worker_pool(num_workers) as pool,
    ):
        futures = {
            pool.submit(
                read_step_terms, project, library, by_file[file], _TIMEOUT_S, options.num_predictions
            ): file
            for file in sorted(by_file, key=lambda file: (-sizes[file], file))
        }
        for future in as_completed(futures):
            file = futures[future]
            found[file] = future.result()
            progress.advance(sizes[file], file)
    return [terms for file in by_file for terms in found[file]]


def _reads(cfg: DictConfig) -> dict[str, Any]:
    return prover_reads(cfg) | read(cfg, *STEP_TERM_OPTIONS)


TASK = Task(name="proof_terms", run=run, reads=_reads, needs=add_dataset)
