"""Check written data against the prover: commented sources compile, and every whole proof is accepted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from ntp.data.coq.recheck import Refusal, check_full_proofs, compile_source, read_rows
from ntp.data.formats.kinds import KINDS
from ntp.data.records import FileRecord
from ntp.data.repositories import Collection
from ntp.data.workers import worker_pool
from ntp.envs.coq.project import CoqProject
from ntp.errors import ConfigError
from ntp.jsonl import atomic_write, dump_record, load_record, write_jsonl
from ntp.tasks.data.export import folder_of
from ntp.tasks.data.extract_repos import project_of
from ntp.tasks.needs import add_dataset, prover_reads
from ntp.tracking.progress import ProgressReporter
from ntp.workflow.context import Context
from ntp.workflow.plan import Needs
from ntp.workflow.task import Task

REFUSED = "refused.jsonl"
_TIMEOUT_S = 600.0
_COMMENTS, _PROOFS = (KINDS[kind].folder for kind in ("state_comments", "full_proof"))


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """What was found in one file.

    Attributes:
        num_sources: 1 if it has a commented source.
        num_proofs: Number of its whole proofs.
        refused: What was not accepted.
    """

    num_sources: int
    num_proofs: int
    refused: tuple[Refusal, ...]


def run(context: Context) -> dict[str, float]:
    """Check every file of every repository, and write what is refused.

    A file is written down as soon as it is checked, so that a resumed run does not check it again.
    """
    found: list[CheckedFile] = []
    cfg = context.cfg
    for name, dataset in Collection.load(context.inputs["dataset"]).datasets():
        if dataset.metadata.prover != "coq":
            raise ConfigError(f"the data is of {dataset.metadata.prover}: only Coq's is checked")
        directory = context.inputs["written"] / folder_of(cfg, name, dataset)
        project = project_of(cfg, name, dataset)
        files = [file for file in dataset.files if not file.error]
        found += _check_all(project, directory, files, context.directory / "checked" / directory.name, cfg)
    refused = sorted((r for file in found for r in file.refused), key=lambda r: (r.kind, r.name))
    write_jsonl(context.directory / REFUSED, refused)
    kinds = Counter(refusal.kind for refusal in refused)
    return {
        "num_sources": sum(file.num_sources for file in found),
        "num_sources_refused": kinds[_COMMENTS],
        "num_proofs": sum(file.num_proofs for file in found),
        "num_proofs_refused": kinds[_PROOFS],
    }


def _check_all(
    project: CoqProject, directory: Path, files: Sequence[FileRecord], checked: Path, cfg: DictConfig
) -> list[CheckedFile]:
    paths = {file.path: checked / f"{file.module}.json" for file in files}
    missing = [file for file in files if not paths[file.path].exists()]
    num_before = len(files) - len(missing)
    with (
        ProgressReporter(f"check {directory.name}", len(files), "files", num_before=num_before) as progress,
        worker_pool(cfg.data.num_extract_workers) as pool,
    ):
        order = sorted(missing, key=lambda file: -file.num_sentences)
        futures = {pool.submit(_check, project, directory, file.path, file.module): file for file in order}
        for future in as_completed(futures):
            with atomic_write(paths[futures[future].path]) as stream:
                stream.write(dump_record(future.result()))
            progress.advance(1)
    return [load_record(paths[file.path], CheckedFile) for file in files]


def _check(project: CoqProject, directory: Path, file: str, module: str) -> CheckedFile:
    """Runs in a worker: check the outputs of one file."""
    refused: list[Refusal] = []
    source = directory / _COMMENTS / f"{module}.v"
    has_source = source.exists()
    if has_source:
        reason = compile_source(project, file, source, _TIMEOUT_S)
        refused += [Refusal(_COMMENTS, module, reason)] if reason else []
    rows = read_rows(directory / _PROOFS / f"{module}.jsonl")
    refused += check_full_proofs(project, file, rows, _TIMEOUT_S)
    return CheckedFile(int(has_source), len(rows), tuple(refused))


def _needs(needs: Needs) -> None:
    add_dataset(needs)
    needs.add("written", ["+experiment=export"], export=needs.cfg.export)


TASK = Task(name="check_export", run=run, reads=prover_reads, needs=_needs)
