"""The report of an evaluation: numbers, Markdown and one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from ntp.errors import ConfigError
from ntp.evaluation.comparison import (
    Arm,
    Comparison,
    arm_rows,
    arms_of,
    compare,
    comparison_rows,
    flat_arms,
    flat_comparison,
)
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
    "theorems asked for. Intervals are 95 % BCa bootstrap intervals over theorems. Distinct "
    "proofs are counted as irredundant scripts, from which no run of tactics can be dropped; raw counts "
    "every script as it was found, and modulo states counts scripts with one sequence of proof states "
    "once. A theorem that was not proved is 'crashed', 'exceeded' or 'timeout' when any tactic tried on it "
    "crashed the prover, was stopped by a limit on what a prover may use, or ran past its time, 'rejected' "
    "when a proof was found and refused in the replay, and 'failed' otherwise."
)


@dataclass(frozen=True, slots=True)
class Report:
    """The numbers of an evaluation.

    Attributes:
        title: Title of the report.
        groups: Results by method, theorems in one order.
        summaries: One per method.
        comparisons: Every other arm with the baseline, then the pairs asked for.
        arms: The arms, if one of them has several seeds.
    """

    title: str
    groups: dict[str, list[TheoremResult]]
    summaries: tuple[MethodSummary, ...]
    comparisons: tuple[Comparison, ...]
    arms: tuple[Arm, ...] = ()


def build_report(
    title: str,
    results: Sequence[TheoremResult],
    baseline: str | None,
    seed: int,
    num_resamples: int,
    pairs: Sequence[tuple[str, str]] = (),
) -> Report:
    """Summarise the results of one or more methods on the same theorems.

    Args:
        title: Title of the report.
        results: One per theorem and method. Methods named `ARM@SEED` are the seeds of one arm.
        baseline: Arm that the others are compared with; None for no comparison.
        seed: Seed of the bootstrap.
        num_resamples: Resamples of the bootstrap.
        pairs: Further pairs of arms to compare.

    Raises:
        ConfigError: There is no arm of a name in `pairs`.
        ValueError: There are no results, or the methods were not asked for the same theorems.
    """
    if not results:
        raise ValueError("no results to report")
    groups = by_method(results)
    summaries = [summarize(method, group, seed, num_resamples) for method, group in groups.items()]
    arms = arms_of(groups)
    wanted = [(name, str(baseline)) for name in arms if baseline in arms and name != baseline]
    for pair in pairs:
        unknown = [name for name in pair if name not in arms]
        if unknown:
            raise ConfigError(f"evaluation.comparisons: no arm {unknown[0]}; there are {', '.join(arms)}")
    wanted += [pair for pair in pairs if pair not in wanted]
    comparisons = [compare(arms[one], arms[other], seed, num_resamples) for one, other in wanted]
    several = tuple(arms.values()) if any(arm.num_seeds > 1 for arm in arms.values()) else ()
    return Report(title, groups, tuple(summaries), tuple(comparisons), several)


def summary_metrics(report: Report) -> dict[str, float]:
    """Metric name to number: what `summary.json` holds."""
    flat = flat_summary(report.summaries) | flat_arms([arm for arm in report.arms if arm.num_seeds > 1])
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
    if report.arms:
        sections.append(Section("Arms", *arm_rows(report.arms)))
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
