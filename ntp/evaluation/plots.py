"""Plots of an evaluation as SVG elements, to be inlined in an HTML page."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ntp.evaluation.metrics import distinct_counts, is_solved, length_histogram, mean_pass_at_k
from ntp.evaluation.results import TheoremResult

Groups = Mapping[str, Sequence[TheoremResult]]

# Mid-tones, legible on light and dark pages.
COLOURS = ("#3f7fbf", "#e0812b", "#4c9f50", "#a56cb0", "#a1765c", "#d0505a", "#5aa7a7", "#8a8a3c")
# matplotlib has no currentColor: this colour is replaced by it in the SVG.
_INK = "#010203"
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "ntp",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.15,
    "legend.frameon": False,
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color", "grid.color"), _INK
    ),
}


def method_colours(methods: Sequence[str]) -> dict[str, str]:
    """The colour of each method, the same in every plot."""
    return {method: COLOURS[i % len(COLOURS)] for i, method in enumerate(methods)}


def all_plots(groups: Groups) -> dict[str, str]:
    """All plots of the results by method: title to SVG element."""
    return {
        "Solved theorems by number of samples": pass_at_k_plot(groups),
        "Distinct minimal proofs per theorem": distinct_plot(groups),
        "Length of distinct minimal proofs": length_plot(groups),
        "Environment steps spent": env_steps_plot(groups),
    }


def pass_at_k_plot(groups: Groups) -> str:
    """Plot unbiased pass@k against k; methods without independent samples are horizontal lines."""
    with house_style() as (figure, axes):
        for method, colour in method_colours(list(groups)).items():
            results = groups[method]
            n = max(len(result.attempts) for result in results)
            points = [(k, mean_pass_at_k(results, k)) for k in _powers_of_two(n)]
            defined = [(k, value) for k, value in points if value is not None]
            if defined:
                axes.plot(*zip(*defined, strict=True), color=colour, marker="o", markersize=3.5, label=method)
            else:
                solved = sum(map(is_solved, results)) / len(results)
                axes.axhline(solved, color=colour, linestyle="--", label=method)
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("samples per theorem, k")
        axes.set_ylabel("pass@k")
        axes.legend()
    return to_svg(figure)


def distinct_plot(groups: Groups) -> str:
    """Plot the number of distinct proofs of each theorem, in descending order."""
    with house_style() as (figure, axes):
        for method, colour in method_colours(list(groups)).items():
            counts = sorted((distinct_counts(r).minimal for r in groups[method]), reverse=True)
            axes.step(range(1, len(counts) + 1), counts, where="mid", color=colour, label=method)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("theorems, sorted")
        axes.set_ylabel("distinct proofs")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend()
    return to_svg(figure)


def length_plot(groups: Groups) -> str:
    """Plot the number of distinct proofs by length in tactics."""
    with house_style() as (figure, axes):
        width = 0.8 / len(groups)
        for i, (method, colour) in enumerate(method_colours(list(groups)).items()):
            histogram = length_histogram(groups[method])
            offset = (i - (len(groups) - 1) / 2) * width
            positions = [length + offset for length in histogram]
            axes.bar(positions, list(histogram.values()), width, color=colour, label=method)
        axes.set_xlabel("tactics")
        axes.set_ylabel("distinct proofs")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend()
    return to_svg(figure)


def env_steps_plot(groups: Groups) -> str:
    """Plot the number of tactics sent to the prover by each method, on solved and on unsolved theorems."""
    with house_style() as (figure, axes):
        colours = method_colours(list(groups))
        for position, (method, results) in enumerate(groups.items()):
            solved = sum(result.num_env_steps for result in results if is_solved(result))
            rest = sum(result.num_env_steps for result in results) - solved
            axes.barh(position, solved, 0.6, color=colours[method])
            axes.barh(position, rest, 0.6, left=solved, color=colours[method], alpha=0.4)
        axes.set_yticks(range(len(groups)), list(groups))
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("tactics run (pale: on unsolved theorems)")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    return to_svg(figure)


@contextmanager
def house_style() -> Iterator[tuple[Figure, Axes]]:
    """A figure with one set of axes in the style of the reports, in effect until the context ends."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(5.2, 3.2), layout="constrained")
        yield figure, figure.add_subplot()


def to_svg(figure: Figure) -> str:
    """The figure as an SVG element."""
    stream = io.StringIO()
    with matplotlib.rc_context(_STYLE):
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = stream.getvalue()
    svg = svg[svg.index("<svg") :].replace(_INK, "currentColor")
    # Nothing refers to the generic ids (axes_1, patch_2, ...), which several plots of a page would repeat.
    return re.sub(r' id="[a-zA-Z0-9.]+_\d+"', "", svg)


def _powers_of_two(n: int) -> list[int]:
    return sorted({n, *(2**i for i in range(n.bit_length()))} - {0})
