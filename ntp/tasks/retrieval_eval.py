"""Measure retrievers on held-out proofs: BM25 and the dense one next to each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from omegaconf import DictConfig
from rich.console import Console

from ntp.data.dataset import Dataset
from ntp.errors import ConfigError
from ntp.evaluation.table import markdown_table
from ntp.retrieval.corpus import PremiseCorpus
from ntp.retrieval.examples import RetrievalExample, retrieval_examples
from ntp.retrieval.metrics import assess
from ntp.tasks.builders import load_retriever
from ntp.tasks.needs import add_dataset, add_retrieval, own_premises, retrieval_reads
from ntp.tasks.selection import load_split, part_of
from ntp.tracking.progress import ProgressReporter
from ntp.workflow.context import Context
from ntp.workflow.plan import Needs
from ntp.workflow.stage import read
from ntp.workflow.task import Task

SPLITS = ("val", "test")
METHODS = ("bm25", "dense")

DEFINITIONS = (
    "Steps of held-out proofs whose tactic names at least one premise that its theorem can see. recall_at_k "
    "is the share of the premises named that are among the k best retrieved, averaged over steps; mrr is the "
    "mean of 1 / rank of the first premise named among the 100 best. candidates is how many premises a step "
    "may name, averaged over steps."
)

# By split and method.
Measured = Mapping[str, Mapping[str, Mapping[str, float]]]


def run(context: Context) -> dict[str, float]:
    """Retrieve for the validation and the test split with both retrievers, write a table."""
    cfg, inputs = context.cfg, context.inputs
    dataset = Dataset.load(inputs["dataset"])
    corpus, splits = PremiseCorpus.of(dataset), load_split(cfg, dataset)
    examples_of = {name: retrieval_examples(corpus, dataset.select(part_of(splits, name))) for name in SPLITS}
    measured: dict[str, dict[str, dict[str, float]]] = {split: {} for split in SPLITS}
    for method in METHODS:
        retriever = load_retriever(method, cfg, corpus, inputs)
        for split, examples in examples_of.items():
            with ProgressReporter(f"{method} {split}", len(examples), "steps") as progress:
                measured[split][method] = assess(retriever, examples, progress.advance)
    text = markdown(f"{cfg.name}: {len(corpus)} premises, {splits.kind} split", corpus, examples_of, measured)
    context.write({"report.md": text})
    Console().print(text, highlight=False, soft_wrap=True)
    return flat(measured)


def markdown(
    title: str,
    corpus: PremiseCorpus,
    examples_of: Mapping[str, Sequence[RetrievalExample]],
    measured: Measured,
) -> str:
    """Title, definitions and one table for both parts of the split."""
    names = ("recall_at_1", "recall_at_10", "mrr")
    header = ["split", "theorems", "steps", "candidates", "method", *names]
    rows = []
    for split, examples in examples_of.items():
        num_candidates = sum(int(corpus.mask(e.theorem).sum()) for e in examples) / len(examples)
        counts = [str(len({e.theorem.id for e in examples})), str(len(examples)), f"{num_candidates:.0f}"]
        rows += [
            [split, *counts, method, *(f"{values[name]:.3f}" for name in names)]
            for method, values in measured[split].items()
        ]
    return f"# {title}\n\n{DEFINITIONS}\n\n{markdown_table(header, rows)}\n"


def flat(measured: Measured) -> dict[str, float]:
    """`method/metric` of the test split, and `val/method/metric`."""
    return {
        f"{'' if split == 'test' else split + '/'}{method}/{name}": value
        for split, methods in measured.items()
        for method, values in methods.items()
        for name, value in values.items()
    }


def _needs(needs: Needs) -> None:
    add_dataset(needs)
    add_retrieval(needs)


def _check(cfg: DictConfig) -> None:
    if cfg.retrieval.name != "dense":
        raise ConfigError("retrieval_eval measures BM25 and the dense retriever: leave retrieval=dense")
    if cfg.retrieval.corpus is not None:
        raise own_premises()


TASK = Task(
    name="retrieval_eval",
    run=run,
    reads=lambda cfg: read(cfg, "data.split") | retrieval_reads(cfg),
    needs=_needs,
    check=_check,
)
