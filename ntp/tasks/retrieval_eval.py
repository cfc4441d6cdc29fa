"""Measure retrievers on held-out proofs: BM25 and the dense one beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console

from ntp.data.dataset import Dataset
from ntp.evaluation.table import markdown_table
from ntp.retrieval.corpus import PremiseCorpus
from ntp.retrieval.examples import RetrievalExample, retrieval_examples
from ntp.retrieval.metrics import assess
from ntp.tasks.builders import load_retriever
from ntp.tasks.selection import load_split, side_of
from ntp.tracking.progress import ProgressReporter
from ntp.workflow.context import Context

SIDES = ("val", "test")
METHODS = ("bm25", "dense")

DEFINITIONS = (
    "Steps of held-out proofs whose tactic names at least one premise that its theorem can see. recall_at_k "
    "is the share of the premises named that are among the k best retrieved, averaged over steps; mrr is the "
    "mean of 1 / rank of the first premise named among the 100 best. candidates is how many premises a step "
    "is free to name, averaged over steps."
)

# By side and method.
Measured = Mapping[str, Mapping[str, Mapping[str, float]]]


def run(context: Context) -> dict[str, float]:
    """Retrieve for the validation and the test side with both retrievers, write a table."""
    cfg, inputs = context.cfg, context.inputs
    dataset = Dataset.load(inputs["dataset"])
    corpus, split = PremiseCorpus.of(dataset), load_split(cfg, dataset)
    sides = {side: retrieval_examples(corpus, dataset.select(side_of(split, side))) for side in SIDES}
    measured: dict[str, dict[str, dict[str, float]]] = {side: {} for side in SIDES}
    for method in METHODS:
        retriever = load_retriever(method, cfg, corpus, inputs)
        for side, examples in sides.items():
            with ProgressReporter(f"{method} {side}", len(examples), "steps") as progress:
                measured[side][method] = assess(retriever, examples, progress.advance)
    text = markdown(f"{cfg.name}: {len(corpus)} premises, {split.kind} split", corpus, sides, measured)
    context.write({"report.md": text})
    Console().print(text, highlight=False, soft_wrap=True)
    return flat(measured)


def markdown(
    title: str,
    corpus: PremiseCorpus,
    sides: Mapping[str, Sequence[RetrievalExample]],
    measured: Measured,
) -> str:
    """Title, definitions and one table for both sides."""
    names = ("recall_at_1", "recall_at_10", "mrr")
    header = ["side", "theorems", "steps", "candidates", "method", *names]
    rows = []
    for side, examples in sides.items():
        num_candidates = sum(int(corpus.mask(e.theorem).sum()) for e in examples) / len(examples)
        counts = [str(len({e.theorem.id for e in examples})), str(len(examples)), f"{num_candidates:.0f}"]
        rows += [
            [side, *counts, method, *(f"{values[name]:.3f}" for name in names)]
            for method, values in measured[side].items()
        ]
    return f"# {title}\n\n{DEFINITIONS}\n\n{markdown_table(header, rows)}\n"


def flat(measured: Measured) -> dict[str, float]:
    """`method/metric` of the test side, and `val/method/metric`."""
    return {
        f"{'' if side == 'test' else side + '/'}{method}/{name}": value
        for side, methods in measured.items()
        for method, values in methods.items()
        for name, value in values.items()
    }
