"""Tables of an evaluation of several projects: each project, all outcomes, and all pairs of methods."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

from ntp.evaluation.endpoints import holm
from ntp.evaluation.metrics import bootstrap_difference, bootstrap_mean, is_solved, mcnemar
from ntp.evaluation.results import TheoremOutcome, TheoremResult

ALL = "all"
# Results by method, of each project; theorems of a project in one order.
Projects = Mapping[str, Mapping[str, Sequence[TheoremResult]]]


def joined(projects: Projects) -> dict[str, list[TheoremResult]]:
    """Results by method, of all projects, with the project's name before the theorem's and the file's."""
    found: dict[str, list[TheoremResult]] = {}
    for project, groups in projects.items():
        for method, results in groups.items():
            found.setdefault(method, []).extend(
                replace(result, theorem=f"{project}:{result.theorem}", file=f"{project}/{result.file}")
                for result in results
            )
    return found


def project_rows(projects: Projects) -> tuple[list[str], list[list[str]]]:
    """Header and cells of the table of projects: solved theorems of those asked for, by method."""
    groups = joined(projects)
    rows = []
    for project, of_project in (*projects.items(), (ALL, groups)):
        num = len(next(iter(of_project.values())))
        solved = [sum(map(is_solved, of_project[method])) for method in groups]
        rows.append([project, f"{num:,}", *(f"{count:,} ({count / num:.1%})" for count in solved)])
    return ["project", "theorems", *groups], rows


def outcome_rows(projects: Projects) -> tuple[list[str], list[list[str]]]:
    """Header and cells of the table of outcomes: every theorem asked for is in one column of each row."""
    rows = []
    for project, groups in projects.items():
        for method, results in groups.items():
            counts = Counter(result.outcome for result in results)
            cells = [f"{counts[outcome]:,}" for outcome in TheoremOutcome]
            rows.append([project, method, f"{len(results):,}", *cells])
    return ["project", "method", "asked", *map(str, TheoremOutcome)], rows


def pair_rows(projects: Projects, seed: int, num_resamples: int) -> tuple[list[str], list[list[str]]]:
    """Header and cells of the table of pairs of methods, on the theorems of all projects.

    Differences have paired bootstrap intervals over theorems; p-values are those of McNemar's exact test, and
    corrected for the number of pairs (Holm 1979).

    Args:
        projects: The results.
        seed: Seed of the bootstrap.
        num_resamples: Its resamples.
    """
    solved = {
        method: [is_solved(result) for result in results] for method, results in joined(projects).items()
    }
    pairs = list(combinations(solved, 2))
    tests = [mcnemar(solved[one], solved[other]) for one, other in pairs]
    corrected = holm([test.p_value for test in tests])
    rows = []
    for (one, other), test, p_holm in zip(pairs, tests, corrected, strict=True):
        values = [[float(value) for value in solved[method]] for method in (one, other)]
        gap = bootstrap_difference(values[0], values[1], seed=seed, num_resamples=num_resamples)
        rows.append(
            [
                f"{one} / {other}",
                f"{gap.value:+.1%} [{gap.low:+.1%}, {gap.high:+.1%}]",
                str(test.num_only_first),
                str(test.num_only_second),
                f"{test.p_value:.3g}",
                f"{p_holm:.3g}",
            ]
        )
    header = ["one / other", "difference of solved rates (95 % interval)", "only one", "only other"]
    return [*header, "McNemar p", "p, Holm"], rows


def flat_projects(projects: Projects, seed: int, num_resamples: int) -> dict[str, float]:
    """Metric name to number: `PROJECT/METHOD/...`."""
    flat: dict[str, float] = {}
    for project, groups in projects.items():
        for method, results in groups.items():
            rate = bootstrap_mean(list(map(is_solved, results)), seed, num_resamples=num_resamples)
            flat |= {
                f"{project}/{method}/num_theorems": len(results),
                f"{project}/{method}/num_solved": sum(map(is_solved, results)),
                f"{project}/{method}/solved_rate": rate.value,
                f"{project}/{method}/solved_rate_low": rate.low,
                f"{project}/{method}/solved_rate_high": rate.high,
            }
    return flat
