"""Measure the diversity of a data condition, and how close it is to held-out pairs."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig
from rich.console import Console

from ntp.errors import DataError
from ntp.evaluation.table import rich_table
from ntp.formalization.alignment.analysis import vocabulary_overlap
from ntp.formalization.alignment.conditions import rendered
from ntp.formalization.alignment.measures import Measure
from ntp.formalization.alignment.probe import Probe
from ntp.formalization.alignment.rivals import (
    CompressionDistance,
    EmbeddingSimilarity,
    NgramOverlap,
    VendiScore,
    text_vectors,
)
from ntp.formalization.alignment.sources.documents import Document, load_documents, pieces
from ntp.formalization.alignment.task2vec import Task2Vec
from ntp.seeding import derive_seed
from ntp.tasks.formalization.alignment_options import (
    CHOSEN_FILE,
    PROBE,
    add_texts,
    condition_of,
    load_sources,
    training_sections,
)
from ntp.tasks.needs import inner
from ntp.tracking.progress import ProgressReporter
from ntp.tracking.run_dir import RunDir
from ntp.types import Interval
from ntp.workflow.context import Context
from ntp.workflow.plan import Needs
from ntp.workflow.stage import read
from ntp.workflow.task import Task

# Of a text: no batch of a measure is all one text, and two batches fit into the window of gzip.
_PIECE_CHARS = 400


def run(context: Context) -> dict[str, float]:
    """Diversity of the texts that a model was trained on, and their alignment with held-out pairs."""
    cfg = context.cfg
    _, _, test = load_sources(context.inputs["texts"])
    chosen = load_documents(context.inputs["policy"] / CHOSEN_FILE)
    target = [Document(rendered(pair.informal, pair.formal), pair.id) for pair in test]
    probe = _probe(cfg, context.inputs)
    parts = {"source": _batches(cfg, chosen, "source"), "target": _batches(cfg, target, "target")}
    measures = _measures(cfg, probe, [text for part in parts.values() for batch in part for text in batch])
    found: dict[str, float] = {}
    rows = []
    total = len(measures) * sum(map(len, parts.values()))
    with ProgressReporter(f"{cfg.name}: {cfg.alignment.condition}", total, "batches") as progress:
        for measure in measures:
            kept = {part: list(_represented(measure, batches, progress)) for part, batches in parts.items()}
            values = {"alignment": measure.alignment(kept["source"], kept["target"])}
            values["diversity"] = measure.diversity(kept["source"])
            for kind, value in values.items():
                found |= flat(f"{kind}/{measure.name}", value)
                rows.append([kind, measure.name, *(f"{v:.4f}" for v in (value.value, value.low, value.high))])
    found["overlap"] = vocabulary_overlap([d.text for d in chosen], [d.text for d in target])
    found["num_distinct_tokens"] = RunDir(context.inputs["policy"]).read_summary()["num_distinct_tokens"]
    Console().print(rich_table(str(cfg.alignment.condition), ["", "measure", "value", "low", "high"], rows))
    return found


def flat(name: str, value: Interval) -> dict[str, float]:
    """A value with its interval, as metrics."""
    return {name: value.value, f"{name}/low": value.low, f"{name}/high": value.high}


def _represented(measure: Measure, batches: Sequence[list[str]], progress: ProgressReporter) -> Iterator[Any]:
    for batch in batches:
        yield measure.represent(batch)
        progress.advance(1, measure.name)


def _probe(cfg: DictConfig, inputs: Any) -> Probe:
    options = cfg.alignment.probe
    source: str | Path = options.name_or_path
    if options.name_or_path is None:
        source = inner(inputs["probe"], "policy")
    return Probe.load(source, options.max_tokens)


def _measures(cfg: DictConfig, probe: Probe, texts: Sequence[str]) -> list[Measure]:
    options = cfg.alignment.probe
    centre_D = np.asarray(text_vectors(probe, texts).mean(0))
    return [
        Task2Vec(probe, options.num_epochs, options.lr, options.num_samples),
        CompressionDistance(),
        NgramOverlap(),
        EmbeddingSimilarity(probe),
        VendiScore(probe, centre_D),
    ]


def _batches(cfg: DictConfig, documents: Sequence[Document], part: str) -> list[list[str]]:
    """Disjoint batches of pieces of texts in random order; of few texts they are taken again and again.

    Raises:
        DataError: There is no text.
    """
    options = cfg.alignment.probe
    found = [piece for document in documents for piece in pieces(document.text, _PIECE_CHARS)]
    found = [piece for piece in found if len(piece.split()) > 1]
    if not found:
        raise DataError(f"alignment.condition={cfg.alignment.condition}: its texts are all of one word")
    draw = random.Random(derive_seed("batches", part, str(cfg.alignment.condition)))
    wanted = options.num_batches * options.batch_size
    taken: list[str] = []
    while len(taken) < wanted:
        taken += draw.sample(found, len(found))
    return [taken[i : i + options.batch_size] for i in range(0, wanted, options.batch_size)]


def _needs(needs: Needs) -> None:
    cfg = needs.cfg
    add_texts(needs)
    # What it was trained on is the same for every seed.
    needs.add("policy", ["+experiment=train_condition", "seed=0"], **training_sections(cfg))
    if cfg.alignment.probe.name_or_path is None:
        probe = ["+experiment=train_condition", f"alignment.condition={PROBE}", "seed=0"]
        needs.add("probe", probe, **training_sections(cfg))


TASK = Task(
    name="measure_alignment",
    run=run,
    reads=lambda cfg: read(cfg, "alignment.condition", "alignment.probe"),
    needs=_needs,
    check=condition_of,
)
