"""Extract a data set from the sources of a project, or from a published benchmark."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import MISSING, DictConfig, OmegaConf

from ntp.bounds import PositiveFloat, PositiveInt
from ntp.data.checkout import origin_of
from ntp.data.coq.extract import EXTRACTOR_VERSION as COQ_EXTRACTOR
from ntp.data.coq.extract import extract
from ntp.data.dataset import METADATA, Dataset
from ntp.data.lean.benchmark_texts import head_of
from ntp.data.lean.extract import EXTRACTOR_VERSION as LEAN_EXTRACTOR
from ntp.data.lean.extract import extract as extract_lean_project
from ntp.data.lean.extract import project_of
from ntp.data.lean.import_benchmark import import_leandojo, import_statements
from ntp.data.lean.recorder import Repl
from ntp.data.sources import write_origin
from ntp.data.splits import SplitOptions
from ntp.envs.lean.factory import LeanReplFactory
from ntp.errors import ConfigError
from ntp.workflow.context import Context
from ntp.workflow.digest import path_digest
from ntp.workflow.stage import read
from ntp.workflow.task import Task


@dataclass(frozen=True)
class CoqDataOptions:
    """Coq sources: those of `env.root`, or the standard library.

    Attributes:
        include: Globs of the files to extract, relative to the project's root.
        exclude: Globs of files to leave out of those.
        split: How theorems are split.
        num_extract_workers: Provers that extract at the same time.
        source: Where data comes from.
    """

    include: list[str] = MISSING
    exclude: list[str] = field(default_factory=list)
    split: SplitOptions = field(default_factory=SplitOptions)
    num_extract_workers: PositiveInt = 2
    source: str = "coq"


@dataclass(frozen=True)
class LeanDojoDataOptions:
    """A LeanDojo Benchmark.

    Attributes:
        path: Its folder.
        repository: A checkout of the commit that it was traced from, for the texts of its files; null for
            none.
        split: How theorems are split: `kind` is `random` or `novel_premises`.
        source: Where data comes from.
    """

    path: str = MISSING
    repository: str | None = None
    split: SplitOptions = field(default_factory=SplitOptions)
    source: str = "leandojo"


@dataclass(frozen=True)
class LeanProjectDataOptions:
    """The sources of a Lake project: those of `env.project`.

    Attributes:
        include: Globs of the files to extract, relative to the project.
        exclude: Globs of files to leave out of those.
        split: How theorems are split.
        num_extract_workers: Provers that extract at the same time.
        file_minutes: Longest that one file may take.
        source: Where data comes from.
    """

    include: list[str] = field(default_factory=lambda: ["**/*.lean"])
    exclude: list[str] = field(default_factory=list)
    split: SplitOptions = field(default_factory=SplitOptions)
    num_extract_workers: PositiveInt = 2
    file_minutes: PositiveFloat = 30.0
    source: str = "lean_project"


@dataclass(frozen=True)
class StatementsDataOptions:
    """Statements without proofs.

    Attributes:
        path: A file.
        header: Text before statements that have no header of their own.
        split: How theorems are split: that of the file.
        source: Where data comes from.
    """

    path: str = MISSING
    header: str = ""
    split: SplitOptions = field(default_factory=lambda: SplitOptions(kind="given"))
    source: str = "statements"


# By where the data comes from: what the data set depends on, in addition to the content of `data.path`.
_READS = {
    "coq": ("data.include", "data.exclude", "env.root", "env.load_paths", "env.options"),
    "leandojo": ("data.source",),
    "lean_project": ("data.source", "data.include", "data.exclude", "env.project", "env.command"),
    "statements": ("data.source", "data.header"),
}


def run(context: Context) -> dict[str, float]:
    """Make the data set that `cfg.data` describes."""
    return SOURCES[context.cfg.data.source](context.cfg, context.directory)


def _extract_coq(cfg: DictConfig, directory: Path) -> dict[str, float]:
    """Replay every selected file and record its theorems, steps and premises."""
    summary = extract(
        instantiate(cfg.env).project,
        directory,
        include=list(cfg.data.include),
        exclude=list(cfg.data.exclude),
        num_workers=cfg.data.num_extract_workers,
    )
    return {name: value for name, value in asdict(summary).items() if isinstance(value, int | float)}


def _extract_lean(cfg: DictConfig, directory: Path) -> dict[str, float]:
    """Elaborate every selected file of a Lake project and record its theorems, steps and premises."""
    repl = lean_repl(instantiate(cfg.env), cfg.data.file_minutes)
    done = extract_lean_project(
        repl, directory, cfg.data.include, cfg.data.exclude, cfg.data.num_extract_workers
    )
    root = project_of(repl).root
    write_origin(directory, origin_of(root, root.resolve().name))
    values = {**asdict(done.metadata), **asdict(done.left_out)}
    values |= {"num_resumed_files": done.num_resumed_files, "seconds": done.seconds}
    return {name: value for name, value in values.items() if isinstance(value, int | float)}


def lean_repl(factory: Any, file_minutes: float) -> Repl:
    """How REPLs are started for extraction.

    Args:
        factory: The environment of a config.
        file_minutes: Longest that one file may take.

    Raises:
        ConfigError: It is not the REPL's, or has no project.
    """
    if not isinstance(factory, LeanReplFactory) or factory.project is None:
        raise ConfigError("a Lake project is extracted by its REPL: env=lean_repl env.project=DIRECTORY")
    # Every file has a header of its own, so nothing is gained by a cache of headers.
    project = replace(factory.lean_project, pickle_directory=None)
    return Repl(project, factory.limits, factory.header_timeout_s, 60 * file_minutes)


def _import_leandojo(cfg: DictConfig, directory: Path) -> dict[str, float]:
    repository = cfg.data.repository
    return import_leandojo(Path(cfg.data.path), directory, None if repository is None else Path(repository))


def _import_statements(cfg: DictConfig, directory: Path) -> dict[str, float]:
    return import_statements(Path(cfg.data.path), directory, cfg.data.header)


# By where the data comes from; each returns its summary.
SOURCES: dict[str, Callable[[DictConfig, Path], dict[str, float]]] = {
    "coq": _extract_coq,
    "leandojo": _import_leandojo,
    "lean_project": _extract_lean,
    "statements": _import_statements,
}


# By where the data comes from: the version of what extracts it.
_EXTRACTORS = {"coq": COQ_EXTRACTOR, "lean_project": LEAN_EXTRACTOR}


def source_key(cfg: DictConfig) -> dict[str, Any]:
    """Everything that the data set of a config depends on, as plain values.

    Raises:
        ConfigError: `data.source` is unknown, or `data.path` or the environment that it needs is not given or
            does not exist.
        EnvError: The data comes from Coq, which is not installed.
    """
    source = cfg.data.source
    if source not in _READS:
        raise ConfigError(f"data.source={source} is unknown: choose data=coq_core, leandojo, minif2f, ...")
    key = read(cfg, *_READS[source])
    digests = {"coq": source_digest, "lean_project": _lean_digest}
    content = digests[source](cfg) if source in digests else path_digest(_existing(cfg))
    if source == "leandojo" and cfg.data.repository is not None:
        key["data.repository"] = [cfg.data.repository, head_of(Path(cfg.data.repository))]
    return {**key, "content": content, "extractor": _EXTRACTORS.get(source, 0)}


def source_digest(cfg: DictConfig) -> str:
    """SHA-256 of all sources of the project, whose imports may matter too, and of the version of Coq."""
    project = instantiate(cfg.env).project
    digest = hashlib.sha256(project.prover.version.encode())
    for file in project.files():
        digest.update(file.encode())
        # An editor's lock is a link to nothing.
        with contextlib.suppress(OSError):
            digest.update(path_digest(project.path(file)).encode())
    return digest.hexdigest()


def _lean_digest(cfg: DictConfig) -> str:
    """SHA-256 of all sources of the Lake project, its toolchain, and the versions of its packages."""
    project = project_of(lean_repl(instantiate(cfg.env), cfg.data.file_minutes))
    digest = hashlib.sha256(project.dependencies.encode())
    for file in project.sources:
        digest.update(file.encode())
        digest.update(path_digest(project.root / file).encode())
    return digest.hexdigest()


def _existing(cfg: DictConfig) -> Path:
    if OmegaConf.is_missing(cfg.data, "path"):
        raise ConfigError("data.path is missing: say where the data is, data.path=PATH")
    path = Path(cfg.data.path)
    if not path.exists():
        raise ConfigError(f"data.path={cfg.data.path} does not exist, seen from {Path.cwd()}")
    return path


def dataset_tag(directory: Path) -> dict[str, str]:
    """The hash of the data set in a directory, as an MLflow tag; none if there is no data set."""
    if not (directory / METADATA).is_file():
        return {}
    return {"dataset": Dataset.load(directory).metadata.content_hash}


TASK = Task(name="extract", run=run, reads=source_key, tags=dataset_tag)
