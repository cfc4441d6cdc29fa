"""The report on verifiers: a table and a plot of their metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from ntp.evaluation.plots import house_style, method_colours, to_svg
from ntp.evaluation.table import markdown_table

# By method, the metrics of each seed.
Runs = Mapping[str, Sequence[Mapping[str, float]]]

DEFINITIONS = (
    "All metrics are over labelled attempts on held-out theorems. auroc and auprc are over all attempts; "
    "so are ece and brier, in which an attempt counts as often as it was sampled. auroc_decided, pairwise "
    "and at_k are over states with both a correct and an incorrect tactic. pairwise is the share of pairs "
    "of a correct and an incorrect tactic of one state that are ranked correctly, averaged over states: by "
    "calibrated log-odds, by the likelihood of whole tactics, and per token. ece and brier are of "
    "calibrated probabilities and (raw) of those that the training objective implies. at_k is the share of "
    "states in which the best scored of k tactics, sampled from those tried, is correct, so at_1 is "
    "chance. disagreement_auroc says how well the disagreement of the heads predicts a wrong "
    "classification at the threshold 1/2. Cells are means over seeds, with the range of seeds in brackets."
)


def markdown(title: str, runs: Runs) -> str:
    """The report in Markdown: title, definitions and the table."""
    return f"# {title}\n\n{DEFINITIONS}\n\n{markdown_table(*table(runs))}\n"


def table(runs: Runs) -> tuple[list[str], list[list[str]]]:
    """Header and cells of the table, methods by metrics."""
    names = _names([metrics for seeds in runs.values() for metrics in seeds])
    rows = [
        [method, *(cell([metrics[n] for metrics in seeds if n in metrics]) for n in names)]
        for method, seeds in runs.items()
    ]
    return ["method", *names], rows


def flat(runs: Runs) -> dict[str, float]:
    """Metric name to number, `METHOD/...`, means over seeds."""
    return {
        f"{method}/{name}": fmean(metrics[name] for metrics in seeds if name in metrics)
        for method, seeds in runs.items()
        for name in _names(seeds)
    }


def best_of_k_plot(runs: Runs) -> str:
    """Plot the share of states in which the best scored of k tactics is correct, as an SVG element."""
    with house_style() as (figure, axes):
        for method, colour in method_colours(list(runs)).items():
            at = {
                int(name[3:]): [metrics[name] for metrics in runs[method] if name in metrics]
                for name in _names(runs[method])
                if name.startswith("at_")
            }
            means = [fmean(values) for values in at.values()]
            axes.plot(list(at), means, color=colour, marker="o", markersize=3.5, label=method)
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("tactics to choose from, k")
        axes.set_ylabel("best one is correct")
        axes.legend(fontsize=7)
    return to_svg(figure)


def _names(metrics: Sequence[Mapping[str, float]]) -> list[str]:
    return list(dict.fromkeys(name for of_seed in metrics for name in of_seed))


def cell(values: Sequence[float]) -> str:
    """The mean of values, with their range where there are several; "-" for none."""
    if not values:
        return "-"
    mean = f"{fmean(values):.3f}"
    return mean if len(values) == 1 else f"{mean} [{min(values):.3f}, {max(values):.3f}]"
