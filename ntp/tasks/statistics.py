"""Count what a data set holds, in each part of its split."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from ntp.data.dataset import Dataset
from ntp.data.statistics import SplitStatistics, dataset_statistics, flat, repeated_statements
from ntp.tasks.needs import add_dataset
from ntp.tasks.selection import load_split
from ntp.workflow.context import Context
from ntp.workflow.stage import read
from ntp.workflow.task import Task

NUM_HEADS = 20


def run(context: Context) -> dict[str, float]:
    """Print two tables, of numbers and of the most frequent tactics; the numbers are the summary."""
    dataset = Dataset.load(context.inputs["dataset"])
    split = load_split(context.cfg, dataset)
    parts = dataset_statistics(dataset, split)
    repeated = repeated_statements(dataset, split)
    totals = {
        "num_files": dataset.metadata.num_files,
        "num_premises": dataset.metadata.num_premises,
        "num_premises_used": dataset.metadata.num_premises_used,
    }
    console = Console()
    console.print(numbers_table(f"{dataset.metadata.prover}, split {split.kind}", parts, repeated))
    console.print(heads_table(parts["all"]))
    console.print("  ".join(f"{name} {value:,}" for name, value in totals.items()), highlight=False)
    in_train = {f"{part}/num_statements_in_train": number for part, number in repeated.items()}
    return {**totals, **flat(parts), **in_train, **head_metrics(parts["all"])}


def head_metrics(statistics: SplitStatistics) -> dict[str, int]:
    """How often the most frequent tactics occur; characters that MLflow refuses in names become `_`."""
    metrics: Counter[str] = Counter()
    for head, number in statistics.heads.most_common(NUM_HEADS):
        metrics["head/" + (re.sub(r"\W", "_", head) or "_")] += number
    return dict(metrics)


def numbers_table(title: str, parts: Mapping[str, SplitStatistics], repeated: Mapping[str, int]) -> Table:
    """A row for each number, a column for each part of the split."""
    table = Table(title=title)
    table.add_column("")
    metrics = {part: statistics.metrics() for part, statistics in parts.items()}
    for part in metrics:
        table.add_column(part, justify="right")
    for name in dict.fromkeys(name for values in metrics.values() for name in values):
        table.add_row(name, *(_shown(values.get(name)) for values in metrics.values()))
    table.add_row("num_statements_in_train", *(_shown(repeated.get(part)) for part in metrics))
    return table


def heads_table(statistics: SplitStatistics) -> Table:
    """The most frequent tactics with their share."""
    table = Table(title="most frequent tactics")
    table.add_column("tactic")
    for name in ("number", "share"):
        table.add_column(name, justify="right")
    for head, number in statistics.heads.most_common(NUM_HEADS):
        table.add_row(head, f"{number:,}", f"{number / statistics.counts['num_tactics']:.1%}")
    return table


def _shown(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


TASK = Task(name="statistics", run=run, reads=lambda cfg: read(cfg, "data.split"), needs=add_dataset)
