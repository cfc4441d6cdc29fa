"""Over-optimisation of verifiers: their scores against the kernel's verdict during training.

The proxy is the verifiers' aggregated probability of the sampled trajectories, and the truth is the share of
them that the kernel accepted as proofs. Both are means over the rollouts of a training step. Gao et al. 2023
and Coste et al. 2023 plot the same pair for reward models of language models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from ntp.evaluation.plots import house_style, method_colours, to_svg
from ntp.evaluation.table import markdown_table
from ntp.evaluation.verifier_report import cell

PROXY, TRUTH, KL = "verifier/probability", "verifier/proved", "train/kl_to_prior"
METRICS = (PROXY, TRUTH, KL, "verifier/disagreement", "train/log_reward")
# Share of a run's steps that count as its beginning, and as its end.
_EDGE = 0.2

DEFINITIONS = (
    "Proxy: the verifiers' mean probability that the last tactic of a trajectory sampled from the policy is "
    "correct. Kernel: share of those trajectories that are proofs. Begin and end are means over the first "
    "and the last fifth of the steps. Every ensemble has its own aggregation, and that of the worst case "
    "starts lower, so the rise of the gap is given too. Cells are means over seeds, with the range of seeds "
    "in brackets."
)


@dataclass(frozen=True, slots=True)
class Curve:
    """One metric during one run.

    Attributes:
        steps: Training steps, ascending.
        values: The value at each step.
    """

    steps: tuple[int, ...]
    values: tuple[float, ...]

    @property
    def begin(self) -> float:
        """Mean over the first fifth of the values."""
        return fmean(self.values[: self._num_edge])

    @property
    def end(self) -> float:
        """Mean over the last fifth of the values."""
        return fmean(self.values[-self._num_edge :])

    @property
    def _num_edge(self) -> int:
        return max(1, round(len(self.values) * _EDGE))


# By variant, for each seed, by metric.
Curves = Mapping[str, Sequence[Mapping[str, Curve]]]


def gap(run: Mapping[str, Curve], part: str) -> float:
    """Proxy minus kernel, at the `begin` or the `end` of a run."""
    return getattr(run[PROXY], part) - getattr(run[TRUTH], part)


def gaps(curves: Curves) -> dict[str, list[float]]:
    """Proxy minus kernel at the end, by variant, for each seed."""
    return {name: [gap(run, "end") for run in runs] for name, runs in curves.items()}


def flat(curves: Curves) -> dict[str, float]:
    """Metric name to number, `VARIANT/...`, means over seeds."""
    found = {}
    for name, runs in curves.items():
        found[f"{name}/gap"] = fmean(gaps(curves)[name])
        found[f"{name}/gap_begin"] = fmean(gap(run, "begin") for run in runs)
        for part, metric in (("proxy", PROXY), ("kernel", TRUTH), ("kl", KL)):
            found[f"{name}/{part}_begin"] = fmean(run[metric].begin for run in runs)
            found[f"{name}/{part}_end"] = fmean(run[metric].end for run in runs)
    return found


def markdown(title: str, curves: Curves) -> str:
    """The report in Markdown: title, definitions and the table."""
    header = ["verifiers", "proxy, begin", "proxy, end", "kernel, begin", "kernel, end"]
    header += ["gap at the end", "rise of the gap", "KL"]
    rows = [
        [
            name,
            *(cell([getattr(r[m], part) for r in runs]) for m in (PROXY, TRUTH) for part in ("begin", "end")),
            cell(gaps(curves)[name]),
            cell([gap(run, "end") - gap(run, "begin") for run in runs]),
            cell([run[KL].end for run in runs]),
        ]
        for name, runs in curves.items()
    ]
    return f"# {title}\n\n{DEFINITIONS}\n\n{markdown_table(header, rows)}\n"


def plot(curves: Curves) -> str:
    """Plot proxy (solid) and kernel (dashed) by training step, smoothed means over seeds, as SVG element."""
    with house_style() as (figure, axes):
        for name, colour in method_colours(list(curves)).items():
            for metric, style in ((PROXY, "-"), (TRUTH, "--")):
                steps, values = _mean_curve([run[metric] for run in curves[name]])
                label = name if metric == PROXY else None
                axes.plot(steps, values, style, color=colour, label=label)
        axes.set_ylim(0, 1)
        axes.set_xlabel("training step")
        axes.set_ylabel("verifiers' score (dashed: proved)")
        axes.legend(fontsize=7)
    return to_svg(figure)


def _mean_curve(curves: Sequence[Curve], window: int = 10) -> tuple[list[int], list[float]]:
    """Mean over seeds at the steps that all seeds have, averaged over the last `window` of these steps."""
    by_step = [dict(zip(curve.steps, curve.values, strict=True)) for curve in curves]
    steps = sorted(set(by_step[0]).intersection(*by_step))
    means = [fmean(values[step] for values in by_step) for step in steps]
    return steps, [fmean(means[max(0, i + 1 - window) : i + 1]) for i in range(len(means))]
