"""Converts Lean benchmarks to data sets (`ntp.data.records`), so that everything else reads one format."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import track

from ntp.data.dataset import FILES, METADATA, PREMISES, THEOREMS, content_hash
from ntp.data.lean.benchmark_texts import BenchmarkTexts
from ntp.data.lean.leandojo import LeanDojoBenchmark
from ntp.data.lean.statements import read_statements
from ntp.data.recorded_splits import GIVEN, save_recorded_split
from ntp.data.records import FileRecord, Metadata, PremiseRecord, PremiseUse, TheoremRecord
from ntp.jsonl import atomic_write, dump_record, write_jsonl


def import_leandojo(directory: Path, output_dir: Path, repository: Path | None = None) -> dict[str, float]:
    """Write the data set of a LeanDojo Benchmark, with its splits.

    Args:
        directory: The benchmark's folder.
        output_dir: Directory of the new data set.
        repository: A checkout of the benchmark's commit, from which the texts of its files are read.

    Returns:
        Numbers of the records written and of irregularities of the benchmark: theorems without tactics,
        proofs that leave goals, premises that the corpus does not have, tactics without a goal, and with a
        repository the files whose text it does not have.

    Raises:
        DataError: The benchmark is damaged, or the directory cannot be written.
    """
    started = time.monotonic()
    benchmark = LeanDojoBenchmark.read(directory)
    counts, files = _Counts(), list(benchmark.files())
    texts = None if repository is None else BenchmarkTexts(repository, benchmark.premises())
    theorems = _with_progress(benchmark.theorems(), len(benchmark))
    if texts is not None:
        texts.warn_of_other_commit(benchmark.repositories)
        theorems = texts.placed(theorems)
    metadata = _write(
        output_dir, counts.counted(theorems), benchmark.premises(), files, benchmark.prover, counts
    )
    without_text = {} if texts is None else {"num_files_without_source": texts.write(output_dir, files)}
    for kind, parts in benchmark.parts.items():
        save_recorded_split(output_dir, kind, parts, metadata.content_hash)
    _finish(output_dir, metadata)
    return {
        **_summary(metadata, counts),
        "num_premises_unlocated": len(counts.used) - metadata.num_premises_declared,
        "num_steps_without_goal": benchmark.num_steps_without_goal,
        "num_repeated_theorems": benchmark.num_repeated_theorems,
        **without_text,
        "seconds": time.monotonic() - started,
    }


def import_statements(path: Path, output_dir: Path, header: str) -> dict[str, float]:
    """Write the data set of a list of statements, with the splits that the list gives.

    Args:
        path: The list (`ntp.data.lean.statements`).
        output_dir: Directory of the new data set.
        header: Header of statements that have none.

    Raises:
        DataError: A line is not a statement, or the directory cannot be written.
    """
    statements = read_statements(path, header)
    counts = _Counts()
    file = FileRecord(path.name, "", (), "", 0, len(statements.records))
    prover = statements.records[0].prover
    metadata = _write(output_dir, counts.counted(statements.records), (), (file,), prover, counts)
    save_recorded_split(output_dir, GIVEN, statements.parts, metadata.content_hash)
    _finish(output_dir, metadata)
    parts: Mapping[str, Sequence[str]] = statements.parts
    return {**_summary(metadata, counts), **{f"{part}/num_theorems": len(ids) for part, ids in parts.items()}}


@dataclass(slots=True)
class _Counts:
    """Counts of theorem records, complete when all records have been written."""

    num_theorems: int = 0
    num_steps: int = 0
    num_without_tactics: int = 0
    num_not_closed: int = 0
    used: set[PremiseUse] = field(default_factory=set)

    def counted(self, records: Iterable[TheoremRecord]) -> Iterator[TheoremRecord]:
        for record in records:
            self.num_theorems += 1
            self.num_steps += len(record.steps)
            self.num_without_tactics += not record.steps
            self.num_not_closed += bool(record.steps) and not record.closes
            self.used.update(use for step in record.steps for use in step.premises)
            yield record


def _with_progress(records: Iterable[TheoremRecord], total: int) -> Iterable[TheoremRecord]:
    return track(records, "import", total, console=Console(stderr=True))


def _write(
    output_dir: Path,
    theorems: Iterable[TheoremRecord],
    premises: Iterable[PremiseRecord],
    files: Iterable[FileRecord],
    prover: str,
    counts: _Counts,
) -> Metadata:
    """Write all files but the metadata, without which the directory is not yet a data set."""
    # Before the theorems, since this takes little time and finds invalid positions early.
    declared = list(premises)
    num_premises = write_jsonl(output_dir / PREMISES, declared)
    known = {PremiseUse(premise.full_name, premise.file) for premise in declared}
    num_files = write_jsonl(output_dir / FILES, files)
    write_jsonl(output_dir / THEOREMS, theorems)
    return Metadata(
        prover=prover,
        prover_version="",
        num_files=num_files,
        num_failed_files=0,
        num_sentences=0,
        num_theorems=counts.num_theorems,
        num_steps=counts.num_steps,
        num_premises=num_premises,
        num_premises_used=len(counts.used),
        num_premises_declared=len(counts.used & known),
        content_hash=content_hash(output_dir),
    )


def _finish(output_dir: Path, metadata: Metadata) -> None:
    with atomic_write(output_dir / METADATA) as stream:
        stream.write(dump_record(metadata) + "\n")


def _summary(metadata: Metadata, counts: _Counts) -> dict[str, float]:
    return {
        "num_files": metadata.num_files,
        "num_theorems": metadata.num_theorems,
        "num_theorems_without_tactics": counts.num_without_tactics,
        "num_proofs_not_closed": counts.num_not_closed,
        "num_steps": metadata.num_steps,
        "num_premises": metadata.num_premises,
        "num_premises_used": metadata.num_premises_used,
    }
