"""Arms of an evaluation: methods that differ only in their training seed, averaged over seeds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean

import numpy as np

from ntp.errors import ConfigError
from ntp.evaluation.metrics import Interval, bootstrap_mean, distinct_counts, is_solved, pass_at_k_values
from ntp.evaluation.results import TheoremResult
from ntp.evaluation.table import PASS_AT

# Separates the name of an arm from the seed in the name of a method.
_SEED_MARK = "@"

# One value per theorem of a run; None where it is not defined.
Measure = Callable[[Sequence[TheoremResult]], Sequence[float] | None]


@dataclass(frozen=True, slots=True)
class Arm:
    """A policy with a search, trained with one seed or several.

    Attributes:
        name: Name of the arm.
        runs: Results of each seed by the name of its method, `ARM` or `ARM@SEED`; theorems in one order.
    """

    name: str
    runs: Mapping[str, Sequence[TheoremResult]]

    @property
    def num_seeds(self) -> int:
        """Number of seeds."""
        return len(self.runs)

    @property
    def theorems(self) -> list[str]:
        """Ids of the theorems, in the order of the results."""
        return [result.theorem for result in next(iter(self.runs.values()))]

    def values_SN(self, measure: Measure) -> np.ndarray | None:  # noqa: N802
        """A measure by seed and theorem; None where it is not defined for every seed."""
        values = [measure(run) for run in self.runs.values()]
        return None if any(row is None for row in values) else np.array(values, dtype=float)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number in the report on arms, computed from one value per theorem.

    Attributes:
        name: Name in the table.
        measure: The value of each theorem.
        is_rate: Whether values are averaged over theorems; they are summed otherwise.
        layout: Format of the number.
    """

    name: str
    measure: Measure
    is_rate: bool
    layout: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """A quantity of an arm.

    Attributes:
        mean: Mean over seeds, with its 95 % bootstrap interval over theorems.
        seeds: The quantity of each seed.
    """

    mean: Interval
    seeds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ArmSummary:
    """The numbers of an arm.

    Attributes:
        name: Name of the arm.
        methods: Names of its methods, one per seed.
        estimates: By name of the quantity; those that are not defined are absent.
    """

    name: str
    methods: tuple[str, ...]
    estimates: dict[str, Estimate]


def measure_solved(run: Sequence[TheoremResult]) -> list[float]:
    """1 for each solved theorem, 0 for the others."""
    return [float(is_solved(result)) for result in run]


def measure_distinct(run: Sequence[TheoremResult]) -> list[float]:
    """Distinct minimal proofs of each theorem."""
    return [float(distinct_counts(result).minimal) for result in run]


def measure_terms(run: Sequence[TheoremResult]) -> list[float] | None:
    """Distinct proof terms of each theorem; None if the terms of one are unknown."""
    terms = [distinct_counts(result).terms for result in run]
    return None if None in terms else [float(count or 0) for count in terms]


SOLVED = Quantity("solved", measure_solved, True, ".1%")
QUANTITIES = (
    SOLVED,
    *(Quantity(f"pass@{k}", partial(pass_at_k_values, k=k), True, ".3f") for k in PASS_AT),
    Quantity("distinct proofs", measure_distinct, False, ",.1f"),
    Quantity("raw", lambda run: [distinct_counts(r).raw for r in run], False, ",.1f"),
    Quantity("modulo states", lambda run: [distinct_counts(r).modulo_states for r in run], False, ",.1f"),
    Quantity("proof terms", measure_terms, False, ",.1f"),
    Quantity("env steps", lambda run: [r.num_env_steps for r in run], False, ",.1f"),
    Quantity("samples", lambda run: [r.num_samples for r in run], False, ",.1f"),
    Quantity("seconds", lambda run: [r.wall_s for r in run], False, ",.1f"),
)


def arm_name(method: str) -> str:
    """The arm that a method belongs to: `ARM` of `ARM` and of `ARM@SEED`."""
    return method.partition(_SEED_MARK)[0]


def seed_of(method: str) -> str:
    """The seed in the name of a method, `SEED` of `ARM@SEED`; empty without one."""
    return method.partition(_SEED_MARK)[2]


def arms_of(groups: Mapping[str, Sequence[TheoremResult]]) -> dict[str, Arm]:
    """The arms of an evaluation by name.

    Args:
        groups: Results by method, theorems in one order.
    """
    runs: dict[str, dict[str, Sequence[TheoremResult]]] = {}
    for method, results in groups.items():
        runs.setdefault(arm_name(method), {})[method] = results
    return {name: Arm(name, by_method) for name, by_method in runs.items()}


def require_arms(arms: Collection[str], baseline: str | None, comparisons: Iterable[Sequence[str]]) -> None:
    """Check the names of arms that the config of an evaluation wants compared.

    Args:
        arms: Names of the arms.
        baseline: Name of the arm that all others are compared with; None for no such comparison.
        comparisons: Further pairs of names.

    Raises:
        ConfigError: A comparison is not a pair, or a name is not that of an arm.
    """
    comparisons = [tuple(pair) for pair in comparisons]
    for pair in comparisons:
        if len(pair) != 2:
            raise ConfigError(f"evaluation.comparisons: {list(pair)} is not a pair of arms")
    wanted = [("baseline", baseline)] if baseline is not None else []
    wanted += [("comparisons", name) for pair in comparisons for name in pair]
    for key, name in wanted:
        if name not in arms:
            raise ConfigError(f"evaluation.{key}: there is no arm {name}; the arms are {', '.join(arms)}")


def summarize_arm(arm: Arm, seed: int = 0, num_resamples: int = 2000) -> ArmSummary:
    """Average the numbers of an arm over its seeds; `seed` and `num_resamples` are those of the bootstrap."""
    estimates = {}
    for quantity in QUANTITIES:
        values_SN = arm.values_SN(quantity.measure)
        if values_SN is not None:
            estimates[quantity.name] = _estimate(quantity, values_SN, seed, num_resamples)
    return ArmSummary(arm.name, tuple(arm.runs), estimates)


def _estimate(quantity: Quantity, values_SN: np.ndarray, seed: int, num_resamples: int) -> Estimate:
    scale = 1 if quantity.is_rate else values_SN.shape[1]
    mean = bootstrap_mean(list(values_SN.mean(0)), seed, num_resamples=num_resamples)
    interval = Interval(scale * mean.value, scale * mean.low, scale * mean.high)
    return Estimate(interval, tuple(float(value) for value in scale * values_SN.mean(1)))


def arm_rows(arms: Sequence[ArmSummary]) -> tuple[list[str], list[list[str]]]:
    """Header and cells of the table of arms: for each quantity, one row per arm."""
    header = ["quantity", "arm", "seeds", "mean over seeds", "95 % interval over theorems"]
    header += ["lowest seed", "highest seed"]
    rows = []
    for quantity in QUANTITIES:
        if any(quantity.name in arm.estimates for arm in arms):
            rows += [_row(quantity, arm) for arm in arms]
    return header, rows


def _row(quantity: Quantity, arm: ArmSummary) -> list[str]:
    cells = [quantity.name, arm.name, str(len(arm.methods))]
    estimate = arm.estimates.get(quantity.name)
    if estimate is None:
        return [*cells, *["-"] * 4]

    def text(value: float) -> str:
        return format(value, quantity.layout)

    mean, seeds = estimate.mean, estimate.seeds
    spread = [text(min(seeds)), text(max(seeds))] if len(seeds) > 1 else ["-", "-"]
    return [*cells, text(mean.value), f"[{text(mean.low)}, {text(mean.high)}]", *spread]


def flat_arms(arms: Sequence[ArmSummary], flat: Mapping[str, float]) -> dict[str, float]:
    """Metric name to number, `ARM/...`, of the arms whose methods are named after seeds.

    Every metric that all seeds have is averaged over them. The interval of the solved rate is over theorems.

    Args:
        arms: The arms.
        flat: The metrics of their methods, `METHOD/...`.
    """
    found: dict[str, float] = {}
    for arm in arms:
        if arm.methods == (arm.name,):
            continue
        first = f"{arm.methods[0]}/"
        for name in (key.removeprefix(first) for key in flat if key.startswith(first)):
            values = [flat.get(f"{method}/{name}") for method in arm.methods]
            defined = [value for value in values if value is not None]
            if len(defined) == len(values):
                found[f"{arm.name}/{name}"] = fmean(defined)
        solved = arm.estimates[SOLVED.name]
        found |= {
            f"{arm.name}/num_seeds": len(arm.methods),
            f"{arm.name}/solved_rate_low": solved.mean.low,
            f"{arm.name}/solved_rate_high": solved.mean.high,
            f"{arm.name}/solved_rate_lowest_seed": min(solved.seeds),
            f"{arm.name}/solved_rate_highest_seed": max(solved.seeds),
        }
    return found
