"""The table of a sweep's jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ntp.workflow.sweep.records import DONE, FAILED, distinct_overrides
from ntp.workflow.sweep.status import JobStatus

_MAX_METRICS = 4
_CLOCKS = ("wall_s",)
_COLOURS = {DONE: "green", FAILED: "red"}


def print_table(sweep: Path, found: Sequence[JobStatus], console: Console | None = None) -> None:
    """Print the status of each job, then why jobs failed and where their logs are."""
    console = console or Console(stderr=True)
    names = main_metrics([status.summary for status in found])
    has_objective = any(status.objective is not None for status in found)
    table = Table(title=escape(f"sweep {sweep}"), title_justify="left")
    for column in ("job", "overrides", "status", "output directory"):
        table.add_column(column, overflow="fold")
    for column in [*(["objective"] if has_objective else []), *names]:
        table.add_column(column, justify="right", overflow="fold")
    overrides = distinct_overrides([status.job for status in found])
    for status, words in zip(found, overrides, strict=True):
        colour = _COLOURS.get(status.status, "yellow")
        numbers = [status.objective] if has_objective else []
        numbers += [status.summary.get(name) for name in names]
        table.add_row(
            str(status.job.number),
            escape(words),
            f"[{colour}]{status.status}[/]",
            Path(status.directory).name if status.directory else "",
            *("" if number is None else f"{number:.5g}" for number in numbers),
        )
    console.print(table)
    for status in found:
        if status.status == FAILED:
            line = f"job {status.job.number} failed: {status.error}\n  log: {status.job.log}"
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def main_metrics(summaries: Sequence[Mapping[str, float]]) -> list[str]:
    """The first metrics in which finished jobs differ, or the first ones if none differ."""
    there = [summary for summary in summaries if summary]
    names = [name for name in (there[0] if there else {}) if name not in _CLOCKS]
    names = [name for name in names if all(name in summary for summary in there)]
    differing = [name for name in names if len({summary[name] for summary in there}) > 1]
    return (differing or names)[:_MAX_METRICS]
