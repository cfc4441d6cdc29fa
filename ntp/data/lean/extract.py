"""Turns the sources of a Lake project into a data set: parallel over files, resumable, deterministic.

Every file's extract is stored as a shard as soon as it is complete, under a key made of the source, the
toolchain and the packages of the project, the command of the REPL and the version of this extractor. A second
run skips what is stored. Files that have failed are tried again. What a file imports is read as Lake has
built it and is not in the key: after an edit, build the project and choose another directory.
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

from ntp.data.file_shards import SHARDS, is_complete, make_shards, prepare
from ntp.data.lean.assemble import assemble
from ntp.data.lean.lake import LakeProject
from ntp.data.lean.left_out import LeftOut
from ntp.data.lean.recorder import FileExtract, Repl, extract_file
from ntp.data.records import Metadata
from ntp.errors import DataError
from ntp.jsonl import SCHEMA_VERSION

EXTRACTOR_VERSION = 1

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LeanExtraction:
    """What an extraction did.

    Attributes:
        metadata: The data set's.
        left_out: What is not in it.
        num_resumed_files: Files whose extract was stored by an earlier run.
        seconds: Wall time.
        failures: `file:line:column: message` of each failed file.
    """

    metadata: Metadata
    left_out: LeftOut
    num_resumed_files: int
    seconds: float
    failures: tuple[str, ...]


def extract(
    repl: Repl,
    output_dir: Path,
    include: Sequence[str],
    exclude: Sequence[str] = (),
    num_workers: int = 1,
) -> LeanExtraction:
    """Extract a data set (`ntp.data.records`) and what its terms use (`ntp.data.terms`) into a directory.

    Args:
        repl: How a REPL is started in the project; it has a directory.
        output_dir: Where the data set and its shards go.
        include: Globs of the files to extract, relative to the project.
        exclude: Globs of files to leave out of those.
        num_workers: Processes, each with one REPL.

    Raises:
        DataError: No file is selected, none elaborates, or the directory cannot be written.
        EnvError: Lean or the REPL is missing or does not work, or a worker died.
    """
    begin = time.monotonic()
    sources = project_of(repl)
    files = sources.files(include, exclude)
    if not files:
        raise DataError(f"no file of {sources.root} matches {list(include)} (without {list(exclude)})")
    prepare(output_dir / SHARDS)
    shards = {file: output_dir / SHARDS / f"{_key(sources, repl, file)}.json" for file in files}
    missing = [file for file in files if not is_complete(shards[file], FileExtract)]
    records = make_shards(
        "elaborate",
        lambda file: sources.root / file,
        {file: shards[file] for file in missing},
        functools.partial(extract_file, sources, repl=repl),
        num_workers,
        "theorems",
    )
    failures = tuple(sorted(f"{record.path}:{record.error}" for record in records if record.error))
    for failure in failures:
        _log.warning("does not elaborate: %s", failure)
    if len(failures) == len(files):
        hint = "" if sources.is_built else f" ({sources.root} is not built: run `lake build` there)"
        raise DataError(f"none of {len(files)} files elaborates; {failures[0]}{hint}")
    metadata, left_out = assemble(sources, list(shards.values()), output_dir)
    return LeanExtraction(metadata, left_out, len(files) - len(missing), time.monotonic() - begin, failures)


def project_of(repl: Repl) -> LakeProject:
    """The project that a REPL is started in.

    Raises:
        DataError: It has no directory, or that does not exist.
    """
    directory = repl.project.directory
    if directory is None or not directory.is_dir():
        raise DataError(f"env.project={directory} is no directory: give that of a Lake project")
    return LakeProject(directory)


def _key(sources: LakeProject, repl: Repl, file: str) -> str:
    try:
        source = hashlib.sha256(sources.read_bytes(file)).hexdigest()
    except DataError:
        source = ""  # the worker says what is wrong with it
    content = [SCHEMA_VERSION, EXTRACTOR_VERSION, sources.dependencies, repl.project.command, file, source]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]
