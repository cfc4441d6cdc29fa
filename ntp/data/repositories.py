"""Lists of repositories to extract, and the collection of data sets that comes of one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from ntp.data.dataset import Dataset
from ntp.errors import ConfigError, DataError
from ntp.jsonl import read_jsonl

REPOSITORIES = "repositories.jsonl"
EXTRACTED, FAILED = "extracted", "failed"
PROVERS = ("coq", "lean")
# ntp-toolkit calls it so in its configs, all of which are of Lean.
_OTHER_NAMES = {"repo": "url", "lean": "prover_version"}
# Of its configs: the file of all imports, which matters to a program that starts from it.
_IGNORED = {"import_file"}
_NAME = re.compile(r"[\w.+-]+")
# Folders and files of a collection beside its data sets.
_RESERVED = {
    REPOSITORIES, "checkouts", "shards", "COMPLETE", "config.yaml", "summary.json", "provenance.json"
}  # fmt: skip
_LIBRARY = re.compile(r"[^\W\d][\w']*(?:\.[^\W\d][\w']*)*")
_LOAD_PATH = {"flag", "directory", "name"}


@dataclass(frozen=True, slots=True)
class RepositoryEntry:
    """A repository of a list. One of `path`, `url` and `library` says where it is.

    Attributes:
        name: Unique in the list; the folder of its data set.
        path: Its directory, seen from the list.
        url: Where to clone it from.
        library: Logical name of an installed Coq library, as `stdpp`; `Coq` (from Rocq 9 on `Stdlib`) for the
            standard library.
        commit: Commit to check out; empty for the newest.
        prover: `coq` or `lean`.
        prover_version: Version that it is for; only for the record.
        load_paths: Mappings with `flag`, `directory` and `name`; empty for those of its build files.
        options: Options of coqc; empty for those of its build files.
        build: Command that builds it, as words; empty to find out.
        include: Globs of the files to extract; every source by default.
        exclude: Globs of files to leave out of those.
        imports: Modules that stand for the whole repository (Lean).
        licence: SPDX identifier.
        package: Package of the system that brings it, for the message when it is missing.
    """

    name: str
    path: str = ""
    url: str = ""
    library: str = ""
    commit: str = ""
    prover: str = "coq"
    prover_version: str = ""
    load_paths: tuple[Mapping[str, str], ...] = ()
    options: tuple[str, ...] = ()
    build: tuple[str, ...] = ()
    include: tuple[str, ...] = ("**/*.v",)
    exclude: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    licence: str = ""
    package: str = ""


@dataclass(frozen=True, slots=True)
class RepositoryResult:
    """What became of a repository.

    Attributes:
        name: Its name in the list.
        status: `extracted` or `failed`.
        reason: Why it failed, in one line; of an extracted one, the first file that does not replay.
        directory: Its data set, relative to the collection unless it is absolute; empty if it failed.
        num_files: Files selected.
        num_failed_files: Files that did not replay.
        num_theorems: Theorem records.
        num_steps: Step records.
        seconds: Wall time.
    """

    name: str
    status: str
    reason: str = ""
    directory: str = ""
    num_files: int = 0
    num_failed_files: int = 0
    num_theorems: int = 0
    num_steps: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Collection:
    """Data sets of several repositories.

    Attributes:
        directory: Where the collection is.
        results: What became of each repository, in the order of the list.
    """

    directory: Path
    results: tuple[RepositoryResult, ...]

    @staticmethod
    def load(directory: Path) -> Collection:
        """Open a collection; a single data set is a collection of one, which has no name.

        Raises:
            DataError: There is neither, or the table is corrupt.
        """
        if (directory / REPOSITORIES).is_file():
            return Collection(directory, tuple(read_jsonl(directory / REPOSITORIES, RepositoryResult)))
        Dataset.load(directory)
        return Collection(directory, (RepositoryResult("", EXTRACTED, directory=str(directory)),))

    def datasets(self) -> Iterator[tuple[str, Dataset]]:
        """Name and data set of each repository that was extracted."""
        for result in self.results:
            if result.status == EXTRACTED:
                yield result.name, Dataset.load(self.directory / result.directory)


def read_repositories(path: Path) -> list[RepositoryEntry]:
    """Read a list of repositories: YAML or JSON, also a config of ntp-toolkit.

    Raises:
        ConfigError: The file cannot be read, or an entry cannot be used.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(content, list) or not content:
        raise ConfigError(f"{path}: give a list of repositories")
    entries = [_entry(path, number, value) for number, value in enumerate(content, start=1)]
    names = [entry.name for entry in entries]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise ConfigError(f"{path}: two repositories are called {repeated}")
    return entries


def _entry(path: Path, number: int, value: Any) -> RepositoryEntry:
    where = f"{path}: repository {number}"
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: give name and path, url or library")
    known = {field.name for field in fields(RepositoryEntry)}
    given: dict[str, Any] = {
        _OTHER_NAMES.get(str(key), str(key)): item for key, item in value.items() if key not in _IGNORED
    }
    if "lean" in value:
        given.setdefault("prover", "lean")
    for key in given:
        if key not in known:
            raise ConfigError(f"{where}: unknown key {key}; known are {', '.join(sorted(known))}")
    for key, item in given.items():
        given[key] = _value(f"{where}: {key}", key, item)
    if not _NAME.fullmatch(given.get("name", "")) or given["name"].startswith("."):
        raise ConfigError(f"{where}: give it a name of letters, digits and -_.+")
    if given["name"] in _RESERVED:
        raise ConfigError(f"{where}: {given['name']} is the name of something else here: give it another one")
    if given.get("library") and not _LIBRARY.fullmatch(given["library"]):
        raise ConfigError(f"{where} ({given['name']}): library={given['library']} is no logical name, as A.B")
    if sum(bool(given.get(key)) for key in ("path", "url", "library")) != 1:
        raise ConfigError(f"{where} ({given['name']}): give one of path, url and library")
    if given.get("prover", "coq") not in PROVERS:
        raise ConfigError(
            f"{where} ({given['name']}): prover={given['prover']}: choose {' or '.join(PROVERS)}"
        )
    if given.get("prover") == "lean":
        given.setdefault("include", ("**/*.lean",))
    return RepositoryEntry(**given)


def _value(where: str, key: str, value: Any) -> Any:
    if key in ("options", "build", "include", "exclude", "imports"):
        items = value.split() if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise ConfigError(f"{where}: give a list of words")
        return tuple(items)
    if key == "load_paths":
        items = value if isinstance(value, list) else [None]
        if not all(isinstance(item, dict) and _is_load_path(item) for item in items):
            raise ConfigError(f"{where}: give a list of {{flag, directory, name}}")
        return tuple(value)
    if not isinstance(value, str):
        raise ConfigError(f"{where}: give a text")
    return value


def _is_load_path(item: dict[str, Any]) -> bool:
    return item.keys() == _LOAD_PATH and all(isinstance(text, str) for text in item.values())


def require_extracted(collection: Collection) -> None:
    """Refuse a collection of which nothing could be extracted.

    Raises:
        DataError: Every repository failed.
    """
    if not any(result.status == EXTRACTED for result in collection.results):
        first = collection.results[0]
        raise DataError(f"none of {len(collection.results)} repositories; {first.name}: {first.reason}")
