"""Extract one Lean repository of a list."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ntp.data.checkout import origin_of
from ntp.data.lean.extract import extract
from ntp.data.repositories import EXTRACTED, RepositoryEntry, RepositoryResult
from ntp.data.sources import write_origin
from ntp.envs.lean.factory import LeanReplFactory
from ntp.errors import ConfigError
from ntp.tasks.extract import lean_repl


def extract_lean_repository(
    factory: Any,
    entry: RepositoryEntry,
    root: Path,
    output: Path,
    num_workers: int,
    file_minutes: float,
) -> RepositoryResult:
    """Extract a repository, which Lake has built: builds fetch packages, and have no network here.

    Args:
        factory: The environment of the config, which says how the REPL is started; its project is not used.
        entry: The repository.
        root: Where its files are.
        output: Where its data set goes.
        num_workers: REPLs at the same time.
        file_minutes: Longest that one file may take.

    Raises:
        ConfigError: The environment is not the REPL's.
        DataError: No file is selected, or none elaborates.
        EnvError: Lean or the REPL is missing or does not work.
    """
    if not isinstance(factory, LeanReplFactory):
        raise ConfigError("a Lean repository is extracted through the REPL: give env=lean_repl")
    repl = lean_repl(replace(factory, project=str(root)), file_minutes)
    done = extract(repl, output, entry.include, entry.exclude, num_workers)
    write_origin(output, origin_of(root, entry.name, entry.licence))
    return RepositoryResult(
        entry.name,
        EXTRACTED,
        reason=done.failures[0] if done.failures else "",
        directory=entry.name,
        num_files=done.metadata.num_files,
        num_failed_files=done.metadata.num_failed_files,
        num_theorems=done.metadata.num_theorems,
        num_steps=done.metadata.num_steps,
    )
