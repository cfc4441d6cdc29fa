"""The report of an alignment study: tables and plots, as Markdown and as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import numpy as np

from ntp.evaluation.html import Section, render_tables
from ntp.evaluation.plots import COLOURS, house_style, to_svg
from ntp.evaluation.table import markdown_table
from ntp.formalization.alignment.study import MEASURES, OVERLAP, Study
from ntp.types import Interval

DEFINITIONS = (
    "All conditions have the same number of training tokens. Alignment is 1 - the expected distance between "
    "batches of a condition's texts and of held-out pairs; of the Vendi score it is 1 - the Jensen-Shannon "
    "divergence. Diversity is the expected distance between two batches of a condition's texts, or the Vendi "
    "score. Overlap is the share of the words of held-out pairs that occur in the texts, size the "
    "logarithm of the number of distinct tokens. Losses are in nats per token of the formal statement; "
    "'adapted' is after the same short fine-tuning on pairs. Correlations are over conditions, of means over "
    "seeds; intervals are 95 % bootstrap intervals over conditions. Partial correlations hold size and "
    "overlap constant."
)


def sections(study: Study) -> list[Section]:
    """The tables: conditions, outcomes, and for each outcome what predicts it."""
    outcomes = list(study.predictions)
    measured = [f"alignment/{measure}" for measure in MEASURES]
    found = [
        Section(
            "Conditions: alignment and diversity",
            ["condition", "distinct tokens", OVERLAP, *measured, *(f"diversity/{m}" for m in MEASURES)],
            [
                [
                    c.name,
                    f"{c.num_distinct_tokens:,}",
                    f"{c.measures[OVERLAP]:.3f}",
                    *(f"{c.measures[name]:.3f}" for name in measured),
                    *(f"{c.measures[f'diversity/{m}']:.3f}" for m in MEASURES),
                ]
                for c in study.conditions
            ],
        ),
        Section(
            "Conditions: outcomes, means over seeds with the range of seeds",
            ["condition", *outcomes],
            [[c.name, *(_over_seeds(c.outcomes[o]) for o in outcomes)] for c in study.conditions],
        ),
    ]
    for outcome, predictions in study.predictions.items():
        rows = [
            [name, _number(p.r), _interval(p.r2), _number(p.spearman), _number(p.partial)]
            for name, p in predictions.items()
        ]
        title = f"What predicts {outcome}"
        found.append(Section(title, ["predictor", "r", "r² [95 %]", "rank correlation", "partial"], rows))
    rivals = list(next(iter(study.differences.values())))
    rows = [
        [outcome, *(_interval(by_rival[r]) for r in rivals)]
        for outcome, by_rival in study.differences.items()
    ]
    found.append(Section("r² of Task2Vec's alignment less that of its rivals", ["outcome", *rivals], rows))
    return found


def plots(study: Study) -> dict[str, str]:
    """For each outcome and measure, the outcome of each condition against its alignment."""
    return {
        f"{outcome} by {measure}": _scatter(study, outcome, measure)
        for outcome in study.predictions
        for measure in MEASURES
    }


def markdown(title: str, study: Study) -> str:
    """The report in Markdown: definitions and tables."""
    parts = [f"# {title}", DEFINITIONS]
    for section in sections(study):
        parts += [f"## {section.title}", markdown_table(section.header, section.rows)]
    return "\n\n".join(parts) + "\n"


def page(title: str, study: Study) -> str:
    """The report as one self-contained HTML page."""
    return render_tables(title, DEFINITIONS, sections(study), plots(study))


def _scatter(study: Study, outcome: str, measure: str) -> str:
    prediction = study.predictions[outcome][f"alignment/{measure}"]
    with house_style() as (figure, axes):
        for condition in study.conditions:
            x, values = condition.measures[f"alignment/{measure}"], condition.outcomes[outcome]
            axes.plot([x, x], [min(values), max(values)], color=COLOURS[0], linewidth=0.8, alpha=0.6)
            axes.plot([x], [fmean(values)], color=COLOURS[0], marker="o", markersize=3.5)
            axes.annotate(
                condition.name, (x, fmean(values)), xytext=(3, 2), textcoords="offset points", fontsize=5
            )
        axes.set_xlabel(f"alignment by {measure}, r² = {_number(prediction.r2.value)}")
        axes.set_ylabel(outcome)
    return to_svg(figure)


def _over_seeds(values: Sequence[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{fmean(values):.3f} [{min(values):.3f}, {max(values):.3f}]"


def _number(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "-"


def _interval(value: Interval) -> str:
    return f"{_number(value.value)} [{_number(value.low)}, {_number(value.high)}]"
