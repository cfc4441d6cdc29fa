"""Turns a tree of Coq sources into a data set: parallel over files, resumable, deterministic.

Every file's extract is stored as a shard as soon as it is complete, under a key made of the source, the load
paths and the versions of Coq and of this extractor. A second run skips what is stored, so an interrupted run
loses only the files that were being replayed, and after an edit only the edited files are replayed again.
Files that did not replay are tried again. Dependencies are not in the key: after rebuilding a project with
other dependencies, choose another directory.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ntp.data.coq.assemble import assemble
from ntp.data.coq.modules import find_library, module_name
from ntp.data.coq.recorder import FileExtract, extract_file
from ntp.data.file_shards import SHARDS, is_complete, make_shards, prepare
from ntp.envs.coq.project import CoqProject
from ntp.errors import DataError
from ntp.jsonl import SCHEMA_VERSION

EXTRACTOR_VERSION = 4

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ExtractionSummary:
    """What an extraction did.

    Attributes:
        num_files: Files selected.
        num_failed_files: Files that did not replay.
        num_resumed_files: Files whose extract was stored by an earlier run.
        num_sentences: Sentences replayed, resumed files included.
        num_theorems: Theorem records.
        num_steps: Step records.
        num_premises: Premise records.
        num_premises_used: Distinct premises named in steps.
        num_premises_declared: How many of those stand in a source of the project.
        seconds: Wall time.
        failures: `file:line:column: message` of each failed file.
    """

    num_files: int
    num_failed_files: int
    num_resumed_files: int
    num_sentences: int
    num_theorems: int
    num_steps: int
    num_premises: int
    num_premises_used: int
    num_premises_declared: int
    seconds: float
    failures: tuple[str, ...]


def extract(
    project: CoqProject,
    output_dir: Path,
    include: Sequence[str],
    exclude: Sequence[str] = (),
    num_workers: int = 1,
    timeout_s: float = 600.0,
) -> ExtractionSummary:
    """Extract a data set (`ntp.data.records`) into a directory.

    Args:
        project: A built project.
        output_dir: Where the data set and its shards go.
        include: Globs of the files to extract, relative to the project's root.
        exclude: Globs of files to leave out of those.
        num_workers: Processes, each with one Coq.
        timeout_s: Deadline for every proof and every stretch between proofs of a file.

    Raises:
        DataError: No file is selected, two share a logical name, none replays, or the directory cannot be
            written.
        EnvError: Coq is missing, or a worker died.
    """
    begin = time.monotonic()
    version = project.prover.version
    excluded = set(project.files(exclude))
    files = [file for file in project.files(include) if file not in excluded]
    if not files:
        raise DataError(f"no file of {project.root} matches {list(include)} (without {list(exclude)})")
    _check_modules(project, files)
    prepare(output_dir / SHARDS)
    shards = {file: output_dir / SHARDS / f"{_key(project, file, version)}.json" for file in files}
    missing = [file for file in files if not is_complete(shards[file], FileExtract)]
    library = find_library(project, [*project.files(), *files])
    replayed = make_shards(
        "replay",
        project.path,
        {file: shards[file] for file in missing},
        functools.partial(extract_file, project, library, timeout_s=timeout_s),
        num_workers,
        "sentences",
    )
    failures = tuple(sorted(f"{record.path}:{record.error}" for record in replayed if record.error))
    for failure in failures:
        _log.warning("does not replay: %s", failure)
    if len(failures) == len(files):
        raise DataError(f"none of {len(files)} files replays; {failures[0]} (has the project been built?)")
    metadata = assemble(project, library, list(shards.values()), output_dir, version, timeout_s)
    return ExtractionSummary(
        num_files=metadata.num_files,
        num_failed_files=metadata.num_failed_files,
        num_resumed_files=len(files) - len(missing),
        num_sentences=metadata.num_sentences,
        num_theorems=metadata.num_theorems,
        num_steps=metadata.num_steps,
        num_premises=metadata.num_premises,
        num_premises_used=metadata.num_premises_used,
        num_premises_declared=metadata.num_premises_declared,
        seconds=time.monotonic() - begin,
        failures=failures,
    )


def _check_modules(project: CoqProject, files: Sequence[str]) -> None:
    named: dict[str, str] = {}
    for file in files:
        module = module_name(project, file)
        other = named.setdefault(module, file)
        if other != file:
            raise DataError(f"{other} and {file} are both called {module}: give the project's load paths")


def _key(project: CoqProject, file: str, version: str) -> str:
    try:
        source = hashlib.sha256(project.path(file).read_bytes()).hexdigest()
    except OSError:
        source = ""  # the replay says what is wrong with it
    paths = [[path.flag, path.directory, path.name] for path in project.load_paths]
    content = json.dumps([SCHEMA_VERSION, EXTRACTOR_VERSION, version, paths, project.options, file, source])
    return hashlib.sha256(content.encode()).hexdigest()[:32]
