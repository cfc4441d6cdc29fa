"""The report of an evaluation: its numbers, as Markdown and as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table

from ntp.evaluation.arms import ArmSummary, arm_rows, arms_of, flat_arms, require_arms, summarize_arm
from ntp.evaluation.comparison import Comparison, compare, comparison_rows, flat_comparison
from ntp.evaluation.endpoints import (
    Endpoint,
    beyond_one_shot,
    curve_rows,
    endpoint_rows,
    endpoints,
    flat_endpoints,
)
from ntp.evaluation.html import Section, render_page
from ntp.evaluation.metrics import distinct_counts
from ntp.evaluation.proof_log import ProofLog, repair_rows, usage_rows
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
    "A proof counts only after the kernel has accepted it in a fresh replay. Every rate is over all "
    "requested theorems. Intervals are 95 % BCa bootstrap intervals over theorems. Distinct proofs are "
    "counted as minimal scripts: in one spelling, and without tactics, or parts of them between semicolons, "
    "that the kernel does not need. 'raw' counts scripts as they were found, 'modulo states' sequences of "
    "proof states, and 'proof terms' what the kernel kept, up to names of bound variables. The rarefied "
    "ratio compares distinct proofs among equally many successes, on theorems that both methods solve. "
    "A theorem that was not proved "
    "is 'rejected' when proofs were found and the replay refused all of them; 'crashed', 'exceeded' or "
    "'timeout' when a tactic or a replay crashed the prover, was stopped by a resource limit, or ran out "
    "of time; and 'failed' otherwise."
)
BEYOND_DEFINITION = (
    "Beyond one-shot tactics are the theorems that none of these proves alone. Their endpoints have "
    "percentile intervals over resampled seeds and files, and p-values with Holm's correction; 'by samples' "
    "are the expected numbers of solved theorems and of distinct minimal proofs by samples of each theorem."
)
ARM_DEFINITIONS = (
    "Methods named ARM@SEED are the seeds of one arm. What is said of an arm is of each theorem's mean "
    "over seeds, so its intervals are over theorems, not over seeds."
)


@dataclass(frozen=True, slots=True)
class Report:
    """The numbers of an evaluation.

    Attributes:
        title: Title of the report.
        groups: Results by method, theorems in one order.
        summaries: One per method.
        comparisons: Every other arm with the baseline, then the requested pairs.
        arms: One per arm; empty where every arm is one method of the same name.
        extra: Further tables.
        endpoints: The comparisons again, on theorems beyond one-shot tactics, where arms have seeds.
    """

    title: str
    groups: dict[str, list[TheoremResult]]
    summaries: tuple[MethodSummary, ...]
    comparisons: tuple[Comparison, ...]
    arms: tuple[ArmSummary, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    extra: tuple[Section, ...] = ()

    @property
    def has_seeds(self) -> bool:
        """Whether an arm has several seeds."""
        return any(len(arm.methods) > 1 for arm in self.arms)


def build_report(
    title: str,
    results: Sequence[TheoremResult],
    baseline: str | None,
    seed: int,
    num_resamples: int,
    comparisons: Sequence[tuple[str, str]] = (),
) -> Report:
    """Summarize the results of one or more methods on the same theorems.

    Args:
        title: Title of the report.
        results: One per theorem and method. Methods named `ARM@SEED` are the seeds of one arm.
        baseline: Name of the arm that all others are compared with; None for no such comparison.
        seed: Seed of the bootstrap.
        num_resamples: Number of bootstrap resamples.
        comparisons: Further pairs of arms to compare, by name.

    Raises:
        ConfigError: The baseline or a name in `comparisons` is not that of an arm.
        ValueError: There are no results, or not every method has a result for every theorem.
    """
    if not results:
        raise ValueError("no results to report")
    groups = by_method(results)
    arms = arms_of(groups)
    require_arms(arms, baseline, comparisons)
    with_baseline = [(name, baseline) for name in arms if baseline is not None and name != baseline]
    pairs = list(dict.fromkeys([*with_baseline, *comparisons]))
    are_methods = all(tuple(arm.runs) == (name,) for name, arm in arms.items())
    kept_N = beyond_one_shot(groups)
    compared = [(arms[one], arms[other]) for one, other in pairs]
    found = () if are_methods or kept_N is None else endpoints(compared, kept_N, seed, num_resamples)
    return Report(
        title,
        groups,
        tuple(summarize(method, group, seed, num_resamples) for method, group in groups.items()),
        tuple(compare(one, other, seed, num_resamples) for one, other in compared),
        () if are_methods else tuple(summarize_arm(arm, seed, num_resamples) for arm in arms.values()),
        found,
    )


def log_sections(logs: Mapping[str, Sequence[ProofLog]]) -> tuple[Section, ...]:
    """Tables of what was written and repaired, for the methods that have logs."""
    if not logs:
        return ()
    repairs = repair_rows(logs)
    written = Section("Whole proofs: what was written", *usage_rows(logs))
    return (written, Section("Whole proofs: repairs", *repairs)) if repairs[1] else (written,)


def summary_metrics(report: Report) -> dict[str, float]:
    """Metric name to number, as in `summary.json`."""
    flat = flat_summary(report.summaries)
    flat |= flat_arms(report.arms, flat)
    for comparison in report.comparisons:
        flat |= flat_comparison(comparison)
    return flat | flat_endpoints(report.endpoints)


def headline(report: Report) -> Table:
    """The table for the terminal, of the most important numbers."""
    return rich_table(report.title, *headline_rows(report.summaries))


def page(report: Report) -> str:
    """The report as one self-contained HTML page, with the proof trees."""
    return render_page(report.title, _definitions(report), _sections(report), report.groups)


def markdown(report: Report) -> str:
    """The report in Markdown: tables, the last of them with one row per theorem."""
    parts = [f"# {report.title}", _definitions(report)]
    for section in _sections(report):
        parts += [f"## {section.title}", markdown_table(section.header, section.rows)]
    parts += ["## Theorems", "Outcome, and number of distinct minimal proofs.", _theorem_table(report)]
    return "\n\n".join(parts) + "\n"


def _definitions(report: Report) -> str:
    parts = [DEFINITIONS]
    parts += [BEYOND_DEFINITION] if beyond_one_shot(report.groups) is not None else []
    parts += [ARM_DEFINITIONS] if report.has_seeds else []
    return " ".join(parts)


def _sections(report: Report) -> list[Section]:
    sections = [Section("Methods", *table_rows(report.summaries))]
    if report.has_seeds:
        sections.append(Section("Arms", *arm_rows(report.arms)))
    if report.comparisons:
        sections.append(Section("Paired comparison", *comparison_rows(report.comparisons)))
    if report.endpoints:
        sections.append(Section("Beyond one-shot tactics: endpoints", *endpoint_rows(report.endpoints)))
    sections += report.extra
    kept_N = beyond_one_shot(report.groups)
    if kept_N is not None:
        arms = list(arms_of(report.groups).values())
        sections.append(Section("Beyond one-shot tactics, by samples", *curve_rows(arms, kept_N)))
    return [
        *sections,
        Section("Theorems by outcome", *theorem_rows(report.summaries)),
        Section("Attempts by status, before proofs are checked", *attempt_rows(report.summaries)),
    ]


def _theorem_table(report: Report) -> str:
    rows = []
    for results in zip(*report.groups.values(), strict=True):
        cells = [f"{result.outcome}, {distinct_counts(result).minimal}" for result in results]
        rows.append([f"`{results[0].theorem}`", f"`{results[0].file}`", *cells])
    return markdown_table(["theorem", "file", *report.groups], rows)
