"""Collect the texts of data conditions: pairs, and what sources hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.console import Console

from ntp.data.dataset import Dataset
from ntp.data.records import TheoremRecord
from ntp.envs.coq.installation import CoqInstallation
from ntp.errors import ConfigError, DataError
from ntp.evaluation.table import rich_table
from ntp.formalization.alignment.sources import installed, provers, recorded
from ntp.formalization.alignment.sources.commented import commented_pairs
from ntp.formalization.alignment.sources.documents import Document, chars_of, load_documents, sample
from ntp.formalization.records import TEST, TRAIN, Pair, load_pairs, write_pairs
from ntp.jsonl import write_jsonl
from ntp.tasks.formalization.alignment_options import (
    PAIRS_FILE,
    TEXTS_FOLDER,
    conditions_of,
    used_sources,
)
from ntp.tasks.needs import add_dataset
from ntp.tracking.progress import ProgressReporter
from ntp.workflow.context import Context
from ntp.workflow.digest import path_digest
from ntp.workflow.plan import Needs
from ntp.workflow.stage import read
from ntp.workflow.task import Task

RECORDED = ("coq_statements", "coq_proofs", "coq_states", "coq_terms")
INSTALLED: Mapping[str, Callable[[], Iterable[Document]]] = {
    "lean": installed.lean,
    "python": partial(installed.python, documented=False),
    "python_documented": partial(installed.python, documented=True),
    "tptp": provers.tptp,
    "mathematics": installed.mathematics,
    "documentation": installed.documentation,
    "irrelevant": installed.irrelevant,
}


def run(context: Context) -> dict[str, float]:
    """Write `pairs.jsonl` and a file of documents for each source; sources that are there are kept."""
    cfg, directory = context.cfg, context.directory
    pairs = _pairs(cfg)
    counts: dict[str, float] = {
        f"pairs/{part}": sum(p.split == part for p in pairs) for part in (TRAIN, TEST)
    }
    if not all(counts.values()):
        raise DataError("the pairs have no training part or no test part")
    write_pairs(directory / PAIRS_FILE, pairs)
    makers = _makers(cfg, context.inputs, pairs)
    with ProgressReporter(cfg.name, len(makers), "sources") as progress:
        for name, make in makers.items():
            path = directory / TEXTS_FOLDER / f"{name}.jsonl"
            if not path.exists():
                documents = sample(make(), cfg.alignment.max_chars, name)
                if not documents:
                    raise DataError(f"the source {name!r} has no text: leave its conditions out")
                write_jsonl(path, documents)
            progress.advance(1, name)
    for name in makers:
        documents = load_documents(directory / TEXTS_FOLDER / f"{name}.jsonl")
        counts |= {f"{name}/documents": len(documents), f"{name}/chars": chars_of(documents)}
    rows = [[key, f"{value:,.0f}"] for key, value in counts.items()]
    Console().print(rich_table(cfg.name, ["", "number"], rows))
    return counts


def _pairs(cfg: DictConfig) -> list[Pair]:
    if cfg.alignment.pairs is not None:
        return load_pairs(Path(cfg.alignment.pairs))
    prover = CoqInstallation()
    roots = [library.directory for library in prover.libraries]
    roots += sorted(path for path in prover.user_contrib.iterdir() if path.is_dir())
    return list(commented_pairs(roots, cfg.alignment.held_out))


def _makers(
    cfg: DictConfig, inputs: Mapping[str, Path], pairs: list[Pair]
) -> dict[str, Callable[[], Iterable[Document]]]:
    """What makes the documents of each source that is used, those of held-out files left out."""
    held_out = {pair.topic for pair in pairs if pair.split == TEST}
    makers: dict[str, Callable[[], Iterable[Document]]] = {}
    records: list[TheoremRecord] = []
    if "dataset" in inputs:
        dataset = Dataset.load(inputs["dataset"])
        statements = {_normal(pair.formal) for pair in pairs if pair.split == TEST}
        records = [
            record
            for record in dataset.records.values()
            if f"theories/{record.theorem.file}" not in held_out
            and _normal(record.theorem.statement) not in statements
        ]
    recorded_makers = {
        "coq_statements": partial(recorded.statements, records),
        "coq_proofs": partial(recorded.proofs, records),
        "coq_states": partial(recorded.proof_states, records),
        "coq_terms": partial(provers.proof_terms, _by_module(records), cfg.alignment.max_chars),
    }
    for name in sorted(used_sources(cfg) - {"pairs"}):
        if name in cfg.alignment.files:
            makers[name] = partial(installed.files, list(cfg.alignment.files[name]))
        else:
            makers[name] = {**recorded_makers, **INSTALLED}[name]
    return makers


def _normal(statement: str) -> str:
    return " ".join(statement.split())


def _by_module(records: list[TheoremRecord]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for record in records:
        module = "Coq." + record.theorem.file.removesuffix(".v").replace("/", ".")
        found.setdefault(module, []).append(record.theorem.id)
    return found


def _needs(needs: Needs) -> None:
    own = set(needs.cfg.alignment.files)
    if (used_sources(needs.cfg) - own) & set(RECORDED):
        add_dataset(needs)


def _reads(cfg: DictConfig) -> dict[str, Any]:
    given = cfg.alignment
    values = read(cfg, "alignment.max_chars", "alignment.held_out")
    values["sources"] = sorted(used_sources(cfg))
    paths = {name: list(files) for name, files in given.files.items() if name in used_sources(cfg)}
    values["files"] = {name: [path_digest(Path(path)) for path in files] for name, files in paths.items()}
    values["pairs"] = path_digest(Path(given.pairs)) if given.pairs is not None else None
    return values


def _check(cfg: DictConfig) -> None:
    conditions_of(cfg)
    given = cfg.alignment
    files = [path for files in given.files.values() for path in files]
    for path in [*files, *([given.pairs] if given.pairs is not None else [])]:
        if not Path(path).is_file():
            raise DataError(f"{path}: no such file")
    known = {"pairs", *RECORDED, *INSTALLED, *given.files}
    for name in sorted(used_sources(cfg) - known):
        raise ConfigError(
            f"alignment.conditions: there is no source {name!r}; there are "
            f"{', '.join(sorted(known))}, shuffled_pairs, informal and formal, and with "
            f"'alignment.files={{{name}: [FILE]}}' it is read from files"
        )


TASK = Task(name="alignment_texts", run=run, reads=_reads, needs=_needs, check=_check)
