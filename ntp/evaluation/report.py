"""The report of an evaluation: numbers, Markdown and one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from ntp.evaluation.comparison import Comparison, compare, comparison_rows, flat_comparison
from ntp.evaluation.html import Section, render_page
from ntp.evaluation.metrics import distinct_counts
from ntp.evaluation.results import TheoremResult
from ntp.evaluation.table import (
    MethodSummary,
    attempt_rows,
    by_method,
    flat_summary,
    headline_rows,
    markdown_table,
    rich_table,
    summarize,
    table_rows,
    theorem_rows,
)

DEFINITIONS = (
    "A proof counts only after the kernel accepted it in a fresh replay. Every rate is over all "
    "theorems asked for. Intervals are 95 % percentile bootstrap intervals over theorems. Distinct "
    "proofs are counted as irredundant scripts, from which no run of tactics can be dropped; raw counts "
    "every script as it was found, and modulo states counts scripts with one sequence of proof states "
    "once. A theorem that was not proved is 'crashed', 'exceeded' or 'timeout' when any tactic tried on it "
    "crashed the prover, was stopped by a limit on what a prover may use, or ran past its time, 'rejected' "
    "when a proof was found and refused in the replay, and 'failed' otherwise."
)


@dataclass(frozen=True, slots=True)
class Report:
    """An evaluation summed up.

    Attributes:
        title: Of the report.
        groups: Results by method, theorems in one order.
        summaries: One per method.
        comparisons: Of every other method with the baseline.
    """

    title: str
    groups: dict[str, list[TheoremResult]]
    summaries: tuple[MethodSummary, ...]
    comparisons: tuple[Comparison, ...]


def build_report(
    title: str,
    results: Sequence[TheoremResult],
    baseline: str | None = None,
    seed: int = 0,
    num_resamples: int = 2000,
) -> Report:
    """Sum up the results of one or more methods on the same theorems.

    Args:
        title: Of the report.
        results: One per theorem and method.
        baseline: Method that the others are compared with; None for no comparison.
        seed: Of the bootstrap.
        num_resamples: Of the bootstrap.

    Raises:
        ValueError: There are no results, or the methods were not asked for the same theorems.
    """
    if not results:
        raise ValueError("no results to report")
    groups = by_method(results)
    summaries = [summarize(method, group, seed, num_resamples) for method, group in groups.items()]
    others = [method for method in groups if baseline in groups and method != baseline]
    comparisons = [compare(groups[method], groups[str(baseline)], seed, num_resamples) for method in others]
    return Report(title, groups, tuple(summaries), tuple(comparisons))


def summary_metrics(report: Report) -> dict[str, float]:
    """Metric name to number: what `summary.json` holds."""
    flat = flat_summary(report.summaries)
    for comparison in report.comparisons:
        flat |= flat_comparison(comparison)
    return flat


def headline(report: Report) -> Table:
    """The few numbers that a terminal has room for; the rest is in the report."""
    return rich_table(report.title, *headline_rows(report.summaries))


def page(report: Report) -> str:
    """The report as one self-contained HTML page, with the proof trees."""
    return render_page(report.title, DEFINITIONS, _sections(report), report.groups)


def markdown(report: Report) -> str:
    """The report in Markdown: tables, and one line per theorem."""
    parts = [f"# {report.title}", DEFINITIONS]
    for section in _sections(report):
        parts += [f"## {section.title}", markdown_table(section.header, section.rows)]
    parts += ["## Theorems", "Outcome, and number of distinct irredundant proofs.", _theorem_table(report)]
    return "\n\n".join(parts) + "\n"


def _sections(report: Report) -> list[Section]:
    sections = [Section("Methods", *table_rows(report.summaries))]
    if report.comparisons:
        sections.append(Section("Paired comparison", *comparison_rows(report.comparisons)))
    return [
        *sections,
        Section("Theorems by outcome", *theorem_rows(report.summaries)),
        Section("Attempts by status, before the re-check", *attempt_rows(report.summaries)),
    ]


def _theorem_table(report: Report) -> str:
    rows = []
    for results in zip(*report.groups.values(), strict=True):
        cells = [f"{result.outcome}, {distinct_counts(result).irredundant}" for result in results]
        rows.append([f"`{results[0].theorem}`", f"`{results[0].file}`", *cells])
    return markdown_table(["theorem", "file", *report.groups], rows)
