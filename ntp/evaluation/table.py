"""Tables of the methods of an evaluation, for the console and for Markdown, and their flat summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from ntp.evaluation.metrics import (
    DistinctCounts,
    Interval,
    bootstrap_mean,
    first_tactic_entropy,
    is_solved,
    mean_pass_at_k,
    total_distinct,
)
from ntp.evaluation.results import TheoremOutcome, TheoremResult
from ntp.types import Status

PASS_AT = (1, 8, 32)


@dataclass(frozen=True, slots=True)
class MethodSummary:
    """The numbers of one method over all requested theorems.

    Attributes:
        method: Name of the method.
        num_theorems: Number of requested theorems, the denominator of every rate.
        solved_rate: Share of theorems solved, with its 95 % bootstrap interval over theorems.
        pass_at: pass@k by k; None where it is not defined.
        distinct: Numbers of distinct accepted proofs, summed over theorems.
        outcomes: Number of theorems by outcome, zeros included; sums to `num_theorems`.
        attempts: Number of sampled proofs by status, before they are checked, zeros included.
        num_env_steps: Number of tactics that the prover ran.
        num_samples: Number of sampled tactics.
        num_stopped_by_limits: Number of tactics at which the prover was stopped by a resource limit.
        wall_s: Wall time of the search in seconds.
        entropy: First-tactic entropy in nats; None where it is not defined.
    """

    method: str
    num_theorems: int
    solved_rate: Interval
    pass_at: dict[int, float | None]
    distinct: DistinctCounts
    outcomes: dict[TheoremOutcome, int]
    attempts: dict[Status, int]
    num_env_steps: int
    num_samples: int
    num_stopped_by_limits: int
    wall_s: float
    entropy: float | None

    @property
    def num_solved(self) -> int:
        """Number of theorems with an accepted proof."""
        return self.outcomes[TheoremOutcome.PROVED]


def by_method(results: Sequence[TheoremResult]) -> dict[str, list[TheoremResult]]:
    """Group results by method, in order of first appearance, and sort each group by theorem.

    Raises:
        ValueError: A method does not have the theorems of the first method, each once.
    """
    groups: dict[str, list[TheoremResult]] = {}
    for result in results:
        groups.setdefault(result.method, []).append(result)
    for method, group in groups.items():
        group.sort(key=lambda result: result.theorem)
        ids = [result.theorem for result in group]
        if len(set(ids)) != len(ids) or ids != [result.theorem for result in next(iter(groups.values()))]:
            raise ValueError(f"method {method} does not have the theorems of the first method, each once")
    return groups


def summarize(
    method: str, results: Sequence[TheoremResult], seed: int = 0, num_resamples: int = 2000
) -> MethodSummary:
    """Summarize the results of one method; `seed` and `num_resamples` are those of the bootstrap."""
    outcomes = Counter(result.outcome for result in results)
    attempts = Counter(status for result in results for status in result.status_counts.elements())
    return MethodSummary(
        method=method,
        num_theorems=len(results),
        solved_rate=bootstrap_mean([is_solved(r) for r in results], seed, num_resamples=num_resamples),
        pass_at={k: mean_pass_at_k(results, k) for k in PASS_AT},
        distinct=total_distinct(results),
        outcomes={outcome: outcomes[outcome] for outcome in TheoremOutcome},
        attempts={status: attempts[status] for status in Status},
        num_env_steps=sum(result.num_env_steps for result in results),
        num_samples=sum(result.num_samples for result in results),
        num_stopped_by_limits=sum(result.num_stopped_by_limits for result in results),
        wall_s=sum(result.wall_s for result in results),
        entropy=first_tactic_entropy(results),
    )


def flat_summary(summaries: Sequence[MethodSummary]) -> dict[str, float]:
    """Metric name to number: `num_theorems` and `METHOD/...`. Undefined metrics are absent."""
    flat: dict[str, float] = {"num_theorems": max((s.num_theorems for s in summaries), default=0)}
    for summary in summaries:
        values: dict[str, float | None] = {
            "num_solved": summary.num_solved,
            "solved_rate": summary.solved_rate.value,
            "solved_rate_low": summary.solved_rate.low,
            "solved_rate_high": summary.solved_rate.high,
            "num_distinct_proofs": summary.distinct.minimal,
            "num_distinct_raw": summary.distinct.raw,
            "num_distinct_modulo_states": summary.distinct.modulo_states,
            "num_distinct_terms": summary.distinct.terms,
            "env_steps": summary.num_env_steps,
            "num_samples": summary.num_samples,
            "num_stopped_by_limits": summary.num_stopped_by_limits,
            "wall_s": round(summary.wall_s, 3),
            "first_tactic_entropy": summary.entropy,
        }
        values |= {f"pass_at_{k}": value for k, value in summary.pass_at.items()}
        values |= {f"num_theorems_{outcome}": count for outcome, count in summary.outcomes.items()}
        values |= {f"num_attempts_{status}": count for status, count in summary.attempts.items()}
        flat |= {f"{summary.method}/{name}": value for name, value in values.items() if value is not None}
    return flat


def table_rows(summaries: Sequence[MethodSummary]) -> tuple[list[str], list[list[str]]]:
    """Header and cells of the table of methods."""
    header = ["method", "solved (95 % interval)", *(f"pass@{k}" for k in PASS_AT)]
    header += ["distinct proofs", "raw", "modulo states", "proof terms", "env steps", "samples", "seconds"]
    return header, [_row(summary) for summary in summaries]


def theorem_rows(summaries: Sequence[MethodSummary]) -> tuple[list[str], list[list[str]]]:
    """Header and cells of the table of theorems by outcome."""
    header = ["method", "requested", *(str(outcome).replace("_", " ") for outcome in TheoremOutcome)]
    return header, [
        [s.method, str(s.num_theorems), *(str(count) for count in s.outcomes.values())] for s in summaries
    ]


def attempt_rows(summaries: Sequence[MethodSummary]) -> tuple[list[str], list[list[str]]]:
    """Header and cells of the table of sampled proofs by status, before they are checked."""
    header = ["method", "attempts", *(str(status) for status in Status), "tactics stopped by limits"]
    return header, [
        [
            s.method,
            str(sum(s.attempts.values())),
            *(str(count) for count in s.attempts.values()),
            str(s.num_stopped_by_limits),
        ]
        for s in summaries
    ]


def headline_rows(summaries: Sequence[MethodSummary]) -> tuple[list[str], list[list[str]]]:
    """Header and cells of a table of methods that is narrow enough for a terminal."""
    header = ["method", "solved", "rate (95 % interval)", "distinct proofs", "env steps", "seconds"]
    rows = [
        [
            s.method,
            f"{s.num_solved} of {s.num_theorems}",
            f"{s.solved_rate.value:.1%} [{s.solved_rate.low:.1%}, {s.solved_rate.high:.1%}]",
            f"{s.distinct.minimal:,}",
            f"{s.num_env_steps:,}",
            f"{s.wall_s:.1f}",
        ]
        for s in summaries
    ]
    return header, rows


def rich_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table for the console; all columns but the first are aligned to the right."""
    table = Table(title=title)
    for index, name in enumerate(header):
        table.add_column(name, justify="left" if index == 0 else "right")
    for row in rows:
        table.add_row(*row)
    return table


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; all columns but the first are aligned to the right."""
    rule = ["---", *("---:" for _ in header[1:])]
    lines = ([cell.replace("|", "\\|") for cell in cells] for cells in (header, rule, *rows))
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _row(summary: MethodSummary) -> list[str]:
    rate = summary.solved_rate
    solved = f"{summary.num_solved} of {summary.num_theorems}"
    interval = f"{rate.value:.1%} [{rate.low:.1%}, {rate.high:.1%}]"
    passes = ["-" if value is None else f"{value:.3f}" for value in summary.pass_at.values()]
    distinct = summary.distinct
    counts = (
        distinct.minimal,
        distinct.raw,
        distinct.modulo_states,
        distinct.terms,
        summary.num_env_steps,
        summary.num_samples,
    )
    return [
        summary.method,
        f"{solved}, {interval}",
        *passes,
        *("-" if count is None else f"{count:,}" for count in counts),
        f"{summary.wall_s:.1f}",
    ]
