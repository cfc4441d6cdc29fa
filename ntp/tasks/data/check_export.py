"""Check written data against the prover: commented sources compile, and every whole proof is accepted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import as_completed
from pathlib import Path

from omegaconf import DictConfig

from ntp.data.coq.recheck import Refusal, check_full_proofs, compile_source, read_rows
from ntp.data.formats.kinds import KINDS
from ntp.data.records import FileRecord
from ntp.data.repositories import Collection
from ntp.data.workers import worker_pool
from ntp.envs.coq.project import CoqProject
from ntp.errors import ConfigError
from ntp.jsonl import write_jsonl
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


def run(context: Context) -> dict[str, float]:
    """Check every file of every repository, and write what is refused."""
    counts: Counter[str] = Counter()
    refused: list[Refusal] = []
    cfg = context.cfg
    for name, dataset in Collection.load(context.inputs["dataset"]).datasets():
        if dataset.metadata.prover != "coq":
            raise ConfigError(f"the data is of {dataset.metadata.prover}: only Coq's is checked")
        directory = context.inputs["written"] / folder_of(cfg, name, dataset)
        project = project_of(cfg, name, dataset)
        files = [file for file in dataset.files if not file.error]
        for number, found in _check_all(project, directory, files, cfg):
            counts.update(number)
            refused += found
    write_jsonl(context.directory / REFUSED, sorted(refused, key=lambda r: (r.kind, r.name)))
    kinds = Counter(refusal.kind for refusal in refused)
    return {
        "num_sources": counts[_COMMENTS],
        "num_sources_refused": kinds[_COMMENTS],
        "num_proofs": counts[_PROOFS],
        "num_proofs_refused": kinds[_PROOFS],
    }


def _check_all(
    project: CoqProject, directory: Path, files: Sequence[FileRecord], cfg: DictConfig
) -> list[tuple[Counter[str], list[Refusal]]]:
    results = []
    with (
        ProgressReporter(f"check {directory.name}", len(files), "files") as progress,
        worker_pool(cfg.data.num_extract_workers) as pool,
    ):
        order = sorted(files, key=lambda file: -file.num_sentences)
        futures = [pool.submit(_check, project, directory, file.path, file.module) for file in order]
        for future in as_completed(futures):
            results.append(future.result())
            progress.advance(1)
    return results


def _check(
    project: CoqProject, directory: Path, file: str, module: str
) -> tuple[Counter[str], list[Refusal]]:
    """Runs in a worker: check the outputs of one file."""
    counts: Counter[str] = Counter()
    refused: list[Refusal] = []
    source = directory / _COMMENTS / f"{module}.v"
    if source.exists():
        counts[_COMMENTS] += 1
        reason = compile_source(project, file, source, _TIMEOUT_S)
        refused += [Refusal(_COMMENTS, module, reason)] if reason else []
    rows = read_rows(directory / _PROOFS / f"{module}.jsonl")
    counts[_PROOFS] += len(rows)
    return counts, refused + check_full_proofs(project, file, rows, _TIMEOUT_S)


def _needs(needs: Needs) -> None:
    add_dataset(needs)
    needs.add("written", ["+experiment=export"], export=needs.cfg.export)


TASK = Task(name="check_export", run=run, reads=prover_reads, needs=_needs)
