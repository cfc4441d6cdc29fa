"""Merges the extracts of single files into a data set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ntp.data.coq.declared_premises import declared_premises
from ntp.data.coq.modules import Library
from ntp.data.coq.premises import printed_types
from ntp.data.coq.recorder import FileExtract
from ntp.data.dataset import FILES, METADATA, PREMISES, THEOREMS, content_hash
from ntp.data.records import DERIVED, EXTERNAL, FileRecord, Metadata, PremiseRecord, PremiseUse, TheoremRecord
from ntp.data.sources import write_sources
from ntp.envs.coq.client import CoqIdeTop
from ntp.envs.coq.project import CoqProject
from ntp.jsonl import atomic_write, dump_record, load_record, write_jsonl


@dataclass(slots=True)
class _Merged:
    """What is kept in memory while the shards stream by."""

    files: list[FileRecord] = field(default_factory=list)
    premises: dict[str, PremiseRecord] = field(default_factory=dict)
    used: dict[str, PremiseUse] = field(default_factory=dict)
    num_steps: int = 0


def assemble(
    project: CoqProject,
    library: Library,
    shards: Sequence[Path],
    output_dir: Path,
    version: str,
    timeout_s: float,
) -> Metadata:
    """Write a data set from the shards of its files.

    Args:
        project: Gives the Coq that prints the types of premises without a source.
        library: Every module that may be named.
        shards: Extracts of the files, in the order of the data set.
        output_dir: Where the data set goes.
        version: Of Coq.
        timeout_s: Deadline for loading the modules of premises without a source.

    Raises:
        DataError: A shard is corrupt, a file was changed since it was replayed, or the directory cannot be
            written.
        EnvError: Coq is missing or does not start.
    """
    merged = _Merged()
    num_theorems = write_jsonl(output_dir / THEOREMS, _theorems(shards, merged))
    merged.premises.update(_elsewhere(project, library, merged))
    declared = {name for name, premise in merged.premises.items() if premise.kind != DERIVED}
    without_source = [use for name, use in sorted(merged.used.items()) if name not in merged.premises]
    printed = _print_types(project, library, without_source, timeout_s)
    num_premises = write_jsonl(output_dir / PREMISES, [*merged.premises.values(), *printed])
    write_jsonl(output_dir / FILES, merged.files)
    write_sources(output_dir, merged.files, project.read)
    metadata = Metadata(
        prover="coq",
        prover_version=version,
        num_files=len(merged.files),
        num_failed_files=sum(bool(file.error) for file in merged.files),
        num_sentences=sum(file.num_sentences for file in merged.files),
        num_theorems=num_theorems,
        num_steps=merged.num_steps,
        num_premises=num_premises,
        num_premises_used=len(merged.used),
        num_premises_declared=len(merged.used.keys() & declared),
        content_hash=content_hash(output_dir),
    )
    # Last: a directory without metadata is not a data set yet.
    with atomic_write(output_dir / METADATA) as stream:
        stream.write(dump_record(metadata) + "\n")
    return metadata


def _theorems(shards: Sequence[Path], merged: _Merged) -> Iterator[TheoremRecord]:
    for shard in shards:
        extract = load_record(shard, FileExtract)
        merged.files.append(extract.file)
        merged.premises.update((premise.full_name, premise) for premise in extract.premises)
        for record in extract.theorems:
            merged.num_steps += len(record.steps)
            merged.used.update((use.full_name, use) for step in record.steps for use in step.premises)
            yield record


def _elsewhere(project: CoqProject, library: Library, merged: _Merged) -> dict[str, PremiseRecord]:
    """Premises used that are declared in files of the project which were not selected."""
    extracted = {file.path for file in merged.files}
    files = {use.file for name, use in merged.used.items() if name not in merged.premises} - extracted
    found: dict[str, PremiseRecord] = {}
    for module, file in sorted(library.project.items(), key=lambda item: item[1]):
        if file in files:
            for premise in declared_premises(project.read(file), module, file):
                if premise.full_name in merged.used:
                    found.setdefault(premise.full_name, premise)
    return found


def _print_types(
    project: CoqProject, library: Library, uses: Sequence[PremiseUse], timeout_s: float
) -> list[PremiseRecord]:
    """Records of premises that no source of the project declares, with types printed by Coq."""
    if not uses:
        return []
    own = {file: module for module, file in library.project.items()}
    installed = {file: module for module, file in library.external.items()}
    modules = dict.fromkeys(own.get(use.file) or installed.get(use.file, "") for use in uses)
    with CoqIdeTop(project, "ntp_types.v") as coq:
        for module in filter(None, modules):
            # A module that cannot be loaded together with the others only costs the types of its premises.
            coq.run(f"Require {module}.", timeout_s)
        types = printed_types(coq, [use.full_name for use in uses], timeout_s)
    return [
        PremiseRecord(use.full_name, DERIVED if use.file in own else EXTERNAL, statement, use.file, None)
        for use, statement in zip(uses, types, strict=True)
    ]
