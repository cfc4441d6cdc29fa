"""Write a data set in the formats that other systems train on."""

from __future__ import annotations

import functools
import json
import logging
from collections import Counter
from concurrent.futures import as_completed
from dataclasses import dataclass, field
from pathlib import Path

from omegaconf import DictConfig

from ntp.bounds import NonNegativeInt, PositiveInt
from ntp.data.dataset import Dataset
from ntp.data.formats.kinds import KINDS, Exporter
from ntp.data.formats.size import require_space
from ntp.data.formats.source_file import SourceFile, source_files
from ntp.data.formats.uses import Uses
from ntp.data.history import Creations, find_creations, load_creations, save_creations
from ntp.data.repositories import Collection
from ntp.data.terms import TERMS, load_terms
from ntp.data.workers import worker_pool
from ntp.errors import ConfigError, DataError
from ntp.tasks.data.extract_repos import root_of
from ntp.tasks.needs import add_dataset
from ntp.tracking.progress import ProgressReporter
from ntp.workflow.context import Context
from ntp.workflow.plan import Needs
from ntp.workflow.stage import read
from ntp.workflow.task import Task

_log = logging.getLogger(__name__)

# Directories of the data set and of proof terms, the file of creation dates, and lines for WithImports.
_Inputs = tuple[Path, Path | None, Path | None, tuple[str, ...]]


@dataclass(frozen=True)
class ExportOptions:
    """What is written.

    Attributes:
        kinds: Outputs, as they are called in docs/formats.md; empty for all.
        name: Folder of the outputs; null for the repository's name.
        import_lines: Lines that `with_imports` puts before sources: before those of Lean the ones that begin
            with `import`, before those of Coq the others.
        history: Whether miniCTX has the dates at which files and theorems were created, from the history of
            the repository, if there is one.
        terms: Whether proof terms are read for the fields that come from them, which are null without.
        max_term_steps: Longest proof, in tactics, whose term is looked at after each of them; what tactics of
            longer ones add to it is null. Showing a term takes as long as it is, so this costs the square.
        num_predictions: Constants that CoqHammer's predictor recommends in each state, for the fields of
            hammer recommendations; 0 for the constants named in tactics. It takes half a second a tactic.
        num_workers: Processes that write.
    """

    kinds: list[str] = field(default_factory=list)
    name: str | None = None
    import_lines: list[str] = field(
        default_factory=lambda: ["From Hammer Require Import Hammer.", "From Hammer Require Import Tactics."]
    )
    history: bool = True
    terms: bool = True
    max_term_steps: PositiveInt = 20
    num_predictions: NonNegativeInt = 0
    num_workers: PositiveInt = 2


def run(context: Context) -> dict[str, float]:
    """Write every kind for every file of every repository, with lists and counts."""
    options, kinds = context.cfg.export, _kinds(context.cfg)
    totals: Counter[str] = Counter()
    collection = Collection.load(context.inputs["dataset"])
    require_space((dataset for _, dataset in collection.datasets()), kinds, context.directory)
    for name, dataset in collection.datasets():
        _require_kept_sources(dataset)
        directory = context.directory / folder_of(context.cfg, name, dataset)
        own = dataset.directory / TERMS
        terms = own if own.is_dir() else context.inputs.get("terms")
        created = None
        if options.history and "minictx" in kinds:
            created = context.directory / f"created-{name or 'project'}.jsonl"
            save_creations(creations(context.cfg, name, dataset), created)
        counts = _write_all(dataset, terms, created, options, kinds, directory)
        _write_summary(dataset, directory, kinds, counts)
        totals.update({f"num_{kind}": counts[kind] for kind in kinds})
        files = [file for file in dataset.files if not file.error]
        totals["num_files"] += len(files)
        totals["num_files_without_source"] += len(files) - len(dataset.sources)
    return dict(totals)


def folder_of(cfg: DictConfig, name: str, dataset: Dataset) -> str:
    """The folder of a data set's outputs."""
    return name or cfg.export.name or dataset.origin.name or "Examples"


def _write_all(
    dataset: Dataset,
    terms: Path | None,
    created: Path | None,
    options: DictConfig,
    kinds: list[str],
    directory: Path,
) -> Counter[str]:
    """Write the outputs of one data set; returns the number of rows of each kind."""
    counts: Counter[str] = Counter()
    files = [file.path for file in dataset.files if not file.error]
    is_coq = dataset.metadata.prover == "coq"
    lines = tuple(line for line in options.import_lines if line.startswith("import ") != is_coq)
    inputs = (dataset.directory, terms, created, lines)
    write = functools.partial(_write, inputs, tuple(kinds), directory)
    with (
        ProgressReporter(f"export {directory.name}", len(files), "files") as progress,
        worker_pool(options.num_workers) as pool,
    ):
        futures = [pool.submit(write, file) for file in files]
        for future in as_completed(futures):
            counts.update(future.result())
            progress.advance(1)
    return counts


def _require_kept_sources(dataset: Dataset) -> None:
    if dataset.metadata.prover == "coq" and not dataset.sources:
        raise DataError(f"{dataset.directory} was extracted before sources were kept: add force=true once")


def _checkout(cfg: DictConfig, name: str, dataset: Dataset) -> Path | None:
    """Where a repository's sources were extracted from, if it is a git repository."""
    own = cfg.env.get("project" if cfg.data.source == "lean_project" else "root")
    root = root_of(cfg, name, dataset) if name else Path(own or "/")
    above = (root.resolve(), *root.resolve().parents)
    return root if any((directory / ".git").exists() for directory in above) else None


def creations(cfg: DictConfig, name: str, dataset: Dataset) -> Creations:
    """When files and theorems were created, by the history of their repository; empty without one."""
    root = _checkout(cfg, name, dataset)
    if root is None:
        return Creations()
    names: dict[str, list[tuple[str, str]]] = {}
    for record in dataset.iter_theorems():
        name = record.theorem.id.partition("#")[0].rpartition(".")[2]
        names.setdefault(record.theorem.file, []).append((record.theorem.id, name))
    try:
        return find_creations(root, names)
    except DataError as error:
        _log.warning("no dates: %s", error)
        return Creations()


def _write(inputs: _Inputs, kinds: tuple[str, ...], directory: Path, path: str) -> dict[str, int]:
    """Runs in a worker: write the outputs of one file."""
    exporter, files = _loaded(*inputs)
    return exporter.write(files[path], kinds, directory)


@functools.lru_cache(maxsize=1)
def _loaded(
    directory: Path, terms: Path | None, created: Path | None, lines: tuple[str, ...]
) -> tuple[Exporter, dict[str, SourceFile]]:
    dataset = Dataset.load(directory)
    dependencies, step_terms = load_terms(terms) if terms else ([], [])
    uses = Uses(dataset.premises, dependencies, step_terms)
    dates = Creations() if created is None else load_creations(created)
    return Exporter(dataset, uses, lines, dates), {file.record.path: file for file in source_files(dataset)}


def _write_summary(dataset: Dataset, directory: Path, kinds: list[str], counts: Counter[str]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    modules = [file.module for file in dataset.files if not file.error]
    (directory / "Modules.jsonl").write_text("".join(json.dumps({"name": name}) + "\n" for name in modules))
    stats = {KINDS[kind].folder: counts[kind] for kind in kinds}
    (directory / "stats.json").write_text(json.dumps(stats, indent=2) + "\n")
    if "minictx" in kinds:
        folder = directory / KINDS["minictx"].folder
        with (directory / "minictx.jsonl").open("w", encoding="utf-8") as stream:
            for name in modules:
                stream.write((folder / f"{name}.jsonl").read_text(encoding="utf-8"))


def _kinds(cfg: DictConfig) -> list[str]:
    return list(cfg.export.kinds) or list(KINDS)


def check(cfg: DictConfig) -> None:
    """Refuse kinds that there are not."""
    if any(kind not in KINDS for kind in cfg.export.kinds):
        raise ConfigError(f"export.kinds={list(cfg.export.kinds)}: choose some of {', '.join(KINDS)}")


def _needs(needs: Needs) -> None:
    add_dataset(needs)
    options = needs.cfg.export
    wants_terms = options.terms and any(KINDS[kind].needs_terms for kind in _kinds(needs.cfg))
    if wants_terms and needs.cfg.data.source == "coq":
        needs.add("terms", ["+experiment=proof_terms"], export=options)


TASK = Task(
    name="export",
    run=run,
    reads=lambda cfg: read(
        cfg, "export.kinds", "export.name", "export.import_lines", "export.history", "export.terms"
    ),
    needs=_needs,
    check=check,
)
