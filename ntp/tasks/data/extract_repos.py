"""Extract many repositories: one that cannot be extracted stops none, and is in the table with its reason."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import MISSING, DictConfig
from rich.console import Console
from rich.table import Table

from ntp.bounds import PositiveFloat, PositiveInt
from ntp.data.checkout import check_out, origin_of
from ntp.data.coq.build import build, build_commands, missing
from ntp.data.coq.extract import EXTRACTOR_VERSION as COQ_EXTRACTOR
from ntp.data.coq.extract import extract
from ntp.data.dataset import METADATA, Dataset
from ntp.data.file_shards import SHARDS
from ntp.data.lean.extract import EXTRACTOR_VERSION as LEAN_EXTRACTOR
from ntp.data.repositories import (
    EXTRACTED,
    FAILED,
    REPOSITORIES,
    Collection,
    RepositoryEntry,
    RepositoryResult,
    read_repositories,
    require_extracted,
)
from ntp.data.sources import write_origin
from ntp.data.splits import SplitOptions
from ntp.data.terms import TERMS
from ntp.envs.coq.build_files import LoadPath, find_build_file, is_skipped, read_options
from ntp.envs.coq.factory import CoqEnvFactory
from ntp.envs.coq.installation import CoqInstallation
from ntp.envs.coq.project import CoqProject, standard_library
from ntp.errors import ConfigError, NtpError
from ntp.jsonl import atomic_write, dump_record, load_record, read_jsonl, write_jsonl
from ntp.tasks.data.lean_repository import extract_lean_repository
from ntp.tasks.data.proof_terms import STEP_TERM_OPTIONS, write_terms
from ntp.tasks.needs import prover_reads
from ntp.tracking.progress import ProgressReporter
from ntp.workflow.context import Context
from ntp.workflow.digest import path_digest
from ntp.workflow.shards import Shard
from ntp.workflow.stage import read
from ntp.workflow.task import Sharding, Task

RESULT = "result.json"
CHECKOUTS = "checkouts"
_SOURCE_SUFFIXES = (".v", ".lean")
_NO_PART_OF_THE_RESULT = ("repos", "split", "num_extract_workers", "build_minutes", "file_minutes", "source")


@dataclass(frozen=True)
class ReposDataOptions:
    """Many repositories.

    Attributes:
        repos: A list of repositories, YAML or JSON; see docs/data.md.
        split: How theorems are split for instruction data: files of all repositories are drawn together.
        num_extract_workers: Provers that extract at the same time.
        terms: Whether proof terms are read too.
        build: Whether what is not built is built, in the sandbox.
        build_minutes: Longest build.
        file_minutes: Longest proof, and longest stretch between two proofs, of a file.
        shard: The shard `i/n` to make, i from 0.
        num_shards: Number of shards to merge.
        costs: Not used.
        source: Where data comes from.
    """

    repos: str = MISSING
    split: SplitOptions = field(default_factory=SplitOptions)
    num_extract_workers: PositiveInt = 2
    terms: bool = False
    build: bool = True
    build_minutes: PositiveFloat = 30.0
    file_minutes: PositiveFloat = 10.0
    shard: str | None = None
    num_shards: PositiveInt | None = None
    costs: str | None = None
    source: str = "repos"


def run(context: Context) -> dict[str, float]:
    """Extract every repository of the list, or of a shard of it."""
    cfg = context.cfg.data
    entries = read_repositories(Path(cfg.repos))
    if cfg.shard is not None:
        shard = Shard.parse(cfg.shard)
        entries = entries[shard.index :: shard.count]
    results: list[RepositoryResult] = []
    with ProgressReporter("repositories", len(entries), "repositories") as progress:
        for entry in entries:
            results.append(_extract_one(context.cfg, entry, context.directory))
            progress.advance(1, f"{entry.name}: {results[-1].status}")
    return _finish(context, results)


def merge(context: Context) -> dict[str, float]:
    """Join the tables of the shards; the data sets stay where they are."""
    entries = read_repositories(Path(context.cfg.data.repos))
    found: dict[str, RepositoryResult] = {}
    for role, directory in context.inputs.items():
        if role.startswith("shard/"):
            for result in read_jsonl(directory / REPOSITORIES, RepositoryResult):
                found[result.name] = replace(
                    result, directory=str(directory / result.directory) if result.directory else ""
                )
    return _finish(context, [found[entry.name] for entry in entries])


def _finish(context: Context, results: Sequence[RepositoryResult]) -> dict[str, float]:
    write_jsonl(context.directory / REPOSITORIES, results)
    Console(stderr=True).print(_table(results))
    require_extracted(Collection(context.directory, tuple(results)))
    extracted = [result for result in results if result.status == EXTRACTED]
    return {
        "num_repositories": len(results),
        "num_failed_repositories": len(results) - len(extracted),
        **{
            name: sum(getattr(result, name) for result in extracted)
            for name in ("num_files", "num_failed_files", "num_theorems", "num_steps")
        },
    }


def _table(results: Sequence[RepositoryResult]) -> Table:
    table = Table(title="repositories")
    for name in ("repository", "theorems", "steps", "files", "failed", "reason"):
        table.add_column(name, justify="left" if name in ("repository", "reason") else "right")
    for result in results:
        numbers = (result.num_theorems, result.num_steps, result.num_files, result.num_failed_files)
        table.add_row(result.name, *(f"{number:,}" for number in numbers), result.reason)
    return table


def _extract_one(cfg: DictConfig, entry: RepositoryEntry, directory: Path) -> RepositoryResult:
    """Extract one repository, unless it was extracted before."""
    output = directory / entry.name
    if (output / METADATA).is_file() and (output / RESULT).is_file():
        return load_record(output / RESULT, RepositoryResult)
    begin = time.monotonic()
    try:
        result = _extracted(cfg, entry, directory)
    except (NtpError, OSError) as error:
        reason = " ".join(str(error).split())
        return RepositoryResult(entry.name, FAILED, reason, seconds=time.monotonic() - begin)
    result = replace(result, seconds=time.monotonic() - begin)
    with atomic_write(output / RESULT) as stream:
        stream.write(dump_record(result) + "\n")
    shutil.rmtree(output / SHARDS, ignore_errors=True)
    return result


def _extracted(cfg: DictConfig, entry: RepositoryEntry, directory: Path) -> RepositoryResult:
    output, timeout_s = directory / entry.name, 60 * cfg.data.file_minutes
    factory = instantiate(cfg.env)
    if entry.prover == "lean":
        root = root_of_entry(entry, Path(cfg.data.repos).parent, directory / CHECKOUTS, factory)
        return extract_lean_repository(
            factory, entry, root, output, cfg.data.num_extract_workers, cfg.data.file_minutes
        )
    if not isinstance(factory, CoqEnvFactory):
        raise ConfigError("a Coq repository is extracted with env=coq: give it a list of its own")
    root = root_of_entry(entry, Path(cfg.data.repos).parent, directory / CHECKOUTS, factory)
    project = _project(entry, root, factory)
    origin = origin_of(root, entry.name, entry.licence)  # before a build can say anything else
    reason = _build(project, entry, cfg, factory) if cfg.data.build and not entry.library else ""
    try:
        summary = extract(
            project, output, entry.include, entry.exclude, cfg.data.num_extract_workers, timeout_s
        )
    except NtpError as error:
        raise ConfigError(f"{error}{f'; {reason}' if reason else ''}") from None
    write_origin(output, origin)
    if cfg.data.terms:
        write_terms(project, output, output / TERMS, cfg)
    return RepositoryResult(
        entry.name,
        EXTRACTED,
        reason=summary.failures[0] if summary.failures else "",
        directory=entry.name,
        num_files=summary.num_files,
        num_failed_files=summary.num_failed_files,
        num_theorems=summary.num_theorems,
        num_steps=summary.num_steps,
    )


def root_of(cfg: DictConfig, name: str, dataset: Dataset) -> Path:
    """Where the sources of a named data set of a collection are."""
    path = Path(cfg.data.repos)
    (entry,) = [entry for entry in read_repositories(path) if entry.name == name]
    return root_of_entry(entry, path.parent, dataset.directory.parent / CHECKOUTS, instantiate(cfg.env))


def project_of(cfg: DictConfig, name: str, dataset: Dataset) -> CoqProject:
    """The project that a data set of a collection was extracted from; without a name, that of the config."""
    factory: CoqEnvFactory = instantiate(cfg.env)
    if not name:
        return factory.project
    (entry,) = [entry for entry in read_repositories(Path(cfg.data.repos)) if entry.name == name]
    return _project(entry, root_of(cfg, name, dataset), factory)


def root_of_entry(entry: RepositoryEntry, beside: Path, checkouts: Path, factory: Any) -> Path:
    """Where a repository's files are; `factory` is the config's environment."""
    if entry.library:
        if not isinstance(factory, CoqEnvFactory):
            raise ConfigError(f"the library {entry.library} is one of Coq: give env=coq")
        root = _library_directory(entry, factory.installation)
        if not any(root.glob("**/*.vo")):
            hint = f": apt-get install {entry.package}" if entry.package else ""
            raise ConfigError(f"the library {entry.library} is not installed{hint}")
        return root
    if entry.path:
        root = beside / entry.path
        if not root.is_dir():
            raise ConfigError(f"{root} is not a directory")
        return root
    root = checkouts / entry.name
    check_out(entry.url, entry.commit, root)
    return root


def _library_directory(entry: RepositoryEntry, prover: CoqInstallation) -> Path:
    if is_standard(entry, prover):
        return standard_library(prover).root
    return prover.user_contrib.joinpath(*entry.library.split("."))


def is_standard(entry: RepositoryEntry, prover: CoqInstallation) -> bool:
    """Whether an entry is the standard library."""
    return entry.library in {library.name for library in prover.libraries}


def _project(entry: RepositoryEntry, root: Path, factory: CoqEnvFactory) -> CoqProject:
    if entry.library and is_standard(entry, factory.installation):
        return standard_library(factory.installation)
    if entry.library:
        # Many libraries name their own modules without the library's name, which only this flag allows.
        path = LoadPath("-R", ".", entry.library)
        return CoqProject(root, (path,), factory.installation, tuple(read_options(entry.options, entry.name)))
    declared = find_build_file(root)
    given = tuple(LoadPath(p["flag"], p["directory"], p["name"]) for p in map(dict, entry.load_paths))
    options = read_options(entry.options, entry.name) or declared.options
    return CoqProject(root, given or tuple(declared.load_paths), factory.installation, tuple(options))


def _build(project: CoqProject, entry: RepositoryEntry, cfg: DictConfig, factory: CoqEnvFactory) -> str:
    """Build what is not built; returns why the last command failed, empty if nothing did."""
    before = missing(project)
    if not before:
        return ""
    commands = [list(entry.build)] if entry.build else build_commands(project.root)
    if not commands:
        return "it is not built, and has no _CoqProject that lists files, dune-project or Makefile"
    limits = replace(factory.limits, file_mb=1024, scratch_mb=1024, processes=512)
    reason = ""
    for command in commands:
        reason = build(project, command, limits, 60 * cfg.data.build_minutes)
        if not reason or len(missing(project)) < len(before):
            break
    return reason


def _reads(cfg: DictConfig) -> dict[str, Any]:
    values = read(cfg, "data")
    for name in _NO_PART_OF_THE_RESULT:
        values["data"].pop(name, None)
    values.update(prover_reads(cfg))
    if cfg.data.terms:
        values.update(read(cfg, *STEP_TERM_OPTIONS))
    path = Path(cfg.data.repos)
    values["repos"] = path_digest(path)
    values["local"] = {
        entry.name: _sources_digest(path.parent / entry.path)
        for entry in read_repositories(path)
        if entry.path
    }
    values["extractors"] = [COQ_EXTRACTOR, LEAN_EXTRACTOR]
    return values


def _sources_digest(root: Path) -> str:
    """SHA-256 of the sources below a directory. What a build writes beside them changes nothing."""
    digest = hashlib.sha256()
    for file in sorted(path for suffix in _SOURCE_SUFFIXES for path in root.rglob(f"*{suffix}")):
        relative = file.relative_to(root)
        if file.is_file() and not is_skipped(relative.parts):
            digest.update(relative.as_posix().encode())
            digest.update(path_digest(file).encode())
    return digest.hexdigest()


def _check(cfg: DictConfig) -> None:
    if cfg.data.source != "repos":
        raise ConfigError("give data=repos data.repos=FILE, a list of repositories")
    read_repositories(Path(cfg.data.repos))


TASK = Task(
    name="extract_repos",
    run=run,
    reads=_reads,
    check=_check,
    sharding=Sharding("data", merge, estimate=1),
)
