"""Merges the extracts of single Lean files into a data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ntp.data.dataset import FILES, METADATA, PREMISES, THEOREMS, content_hash
from ntp.data.lean.constants import Constant
from ntp.data.lean.declarations import THEOREMS as THEOREM_KINDS
from ntp.data.lean.declarations import find_declarations, find_imports
from ntp.data.lean.lake import LakeProject
from ntp.data.lean.left_out import LeftOut
from ntp.data.lean.recorder import FileExtract
from ntp.data.records import (
    DERIVED,
    EXTERNAL,
    FileRecord,
    Metadata,
    PremiseRecord,
    PremiseUse,
    StepRecord,
    TheoremRecord,
)
from ntp.data.sources import write_sources
from ntp.data.terms import DEPENDENCIES, STEP_TERMS, TERMS, DependencyRecord, TheoremTerms
from ntp.envs.lean.positions import Lines
from ntp.envs.lean.syntax import LeanSyntaxError
from ntp.errors import DataError
from ntp.jsonl import atomic_write, dump_record, load_record, write_jsonl
from ntp.types import Span


@dataclass(slots=True)
class _Merged:
    """What is kept in memory while the shards stream by."""

    files: list[FileRecord] = field(default_factory=list)
    premises: list[PremiseRecord] = field(default_factory=list)
    # By name: the files that declare it, in order.
    declared: dict[str, list[str]] = field(default_factory=dict)
    constants: dict[str, Constant] = field(default_factory=dict)
    named: dict[str, None] = field(default_factory=dict)
    used: dict[PremiseUse, None] = field(default_factory=dict)
    terms: list[TheoremTerms] = field(default_factory=list)
    dependencies: dict[str, DependencyRecord] = field(default_factory=dict)
    num_named: Counter[str] = field(default_factory=Counter)
    num_steps: int = 0
    left_out: LeftOut = field(default_factory=LeftOut)

    def place(self, name: str, file: str) -> tuple[str, bool]:
        """The file that declares a name or its namespace, and whether it declares the name itself.

        Where several do it is `file`, if that is among them; empty for what no source declares.
        """
        is_itself = True
        while name:
            if name in self.declared:
                files = self.declared[name]
                return (file if file in files else files[0]), is_itself
            name, is_itself = name.rpartition(".")[0], False
        return "", False


def assemble(sources: LakeProject, shards: Sequence[Path], output_dir: Path) -> tuple[Metadata, LeftOut]:
    """Write a data set, its sources and what its terms use from the shards of its files.

    Args:
        sources: The project.
        shards: Extracts of the files, in the order of the data set.
        output_dir: Where the data set goes.

    Raises:
        DataError: A shard is corrupt, a file was changed since it was elaborated, or the directory cannot be
            written.
    """
    merged = _Merged()
    for shard in shards:
        _add(merged, load_record(shard, FileExtract))
    _add_elsewhere(merged, sources)
    num_theorems = write_jsonl(output_dir / THEOREMS, _theorems(shards, merged))
    declared = {PremiseUse(p.full_name, p.file) for p in merged.premises}
    others = [use for use in sorted(merged.used, key=_order) if use not in declared]
    num_premises = write_jsonl(
        output_dir / PREMISES, [*merged.premises, *(_undeclared(merged, use) for use in others)]
    )
    write_jsonl(output_dir / FILES, merged.files)
    write_sources(output_dir, merged.files, sources.read)
    _write_terms(merged, output_dir / TERMS)
    metadata = Metadata(
        prover="lean",
        prover_version=sources.toolchain,
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
    return metadata, merged.left_out


def _add(merged: _Merged, extract: FileExtract) -> None:
    """Take what is needed of a shard before its theorems can be written."""
    merged.files.append(extract.file)
    merged.premises += extract.premises
    for premise in extract.premises:
        merged.declared.setdefault(premise.full_name, []).append(premise.file)
    for constant in extract.constants:
        merged.constants.setdefault(constant.full_name, constant)
    for theorem in extract.theorems:
        for step in theorem.record.steps:
            merged.named.update((use.full_name, None) for use in step.premises)
    merged.left_out.add(extract.left_out)


def _add_elsewhere(merged: _Merged, sources: LakeProject) -> None:
    """Add premises that are named in steps and stand in files of the project that were not selected."""
    known = set(sources.sources)
    seen = {file.path for file in merged.files}
    waiting = [file for record in merged.files for file in record.imports]
    found: dict[str, list[PremiseRecord]] = {}
    while waiting:
        file = waiting.pop()
        if file in seen or file not in known:
            continue
        seen.add(file)
        try:
            text = sources.read(file)
            waiting += (sources.modules.get(name, "") for name in find_imports(text))
            found[file] = _named_in(merged, file, text)
        except (DataError, LeanSyntaxError):
            continue  # Lean has said nothing against it: its premises count as external
    for file in sorted(found):
        merged.premises += found[file]
        for premise in found[file]:
            merged.declared.setdefault(premise.full_name, []).append(file)


def _named_in(merged: _Merged, file: str, text: str) -> list[PremiseRecord]:
    """What a text declares of the names in steps that no selected file declares."""
    lines = Lines(text)
    missing = {name for name in merged.named if not merged.place(name, "")[1]}
    prefixes = {name.rpartition(".")[0] for name in missing}
    found = {}
    for declared in find_declarations(text):
        if declared.full_name in missing or declared.full_name in prefixes:
            span = Span(lines.pack(declared.span.begin), lines.pack(declared.span.end))
            record = PremiseRecord(declared.full_name, declared.kind, declared.statement(text), file, span)
            found.setdefault(declared.full_name, record)
    return list(found.values())


def _theorems(shards: Sequence[Path], merged: _Merged) -> Iterator[TheoremRecord]:
    """The theorems, with unique ids and with the files of their premises."""
    for shard in shards:
        for theorem in load_record(shard, FileExtract).theorems:
            record = theorem.record
            name = record.theorem.id
            merged.num_named[name] += 1
            number = merged.num_named[name]
            unique = name if number == 1 else f"{name}#{number}"
            steps = tuple(_located(step, record.theorem.file, merged) for step in record.steps)
            merged.num_steps += len(steps)
            merged.terms.append(replace(theorem.terms, theorem_id=unique))
            merged.dependencies[unique] = replace(theorem.dependency, full_name=unique)
            record = replace(record, theorem=replace(record.theorem, id=unique), steps=steps)
            yield record


def _located(step: StepRecord, file: str, merged: _Merged) -> StepRecord:
    premises = tuple(PremiseUse(u.full_name, merged.place(u.full_name, file)[0]) for u in step.premises)
    merged.used.update(dict.fromkeys(premises))
    return replace(step, premises=premises)


def _undeclared(merged: _Merged, use: PremiseUse) -> PremiseRecord:
    """The record of a premise that no source of the project declares by its name."""
    known = merged.constants.get(use.full_name)
    kind = DERIVED if use.file else EXTERNAL
    return PremiseRecord(use.full_name, kind, known.type if known else "", use.file, None)


def _write_terms(merged: _Merged, directory: Path) -> None:
    """Write what constants use: theorems by their tactics, and of all others whether they are proofs."""
    theorems = {p.full_name for p in merged.premises if p.kind in THEOREM_KINDS}
    records = dict(merged.dependencies)
    names = {name for record in merged.dependencies.values() for name in record.term or ()}
    for name in names - records.keys():
        known = merged.constants.get(name)
        records[name] = DependencyRecord(name, name in theorems or (known is not None and known.is_prop))
    write_jsonl(directory / DEPENDENCIES, [records[name] for name in sorted(records)])
    write_jsonl(directory / STEP_TERMS, merged.terms)


def _order(use: PremiseUse) -> tuple[str, str]:
    return use.full_name, use.file
