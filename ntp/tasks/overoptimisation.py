"""Measure over-optimisation of verifiers: their scores against the kernel's verdict along training."""

from __future__ import annotations

import json
from dataclasses import asdict

from rich.console import Console

from ntp.evaluation.overoptimisation import METRICS, Curve, flat, gaps, markdown, plot
from ntp.tasks.needs import add_arms
from ntp.tracking.runs import metric_history
from ntp.workflow.context import Context
from ntp.workflow.stage import read
from ntp.workflow.task import Task


def run(context: Context) -> dict[str, float]:
    """Read the training curves of every run of the study from MLflow, write a table and a plot."""
    cfg = context.cfg
    curves = {
        str(name): [
            {
                metric: Curve(*metric_history(cfg.tracking.uri, context.inputs[f"{name}/{seed}"], metric))
                for metric in METRICS
            }
            for seed in cfg.study.seeds
        ]
        for name in cfg.study.variants
    }
    raw = {name: [{m: asdict(c) for m, c in run.items()} for run in runs] for name, runs in curves.items()}
    texts = {
        "report.md": markdown(f"{cfg.name}: {len(cfg.study.seeds)} seeds", curves),
        "curves.json": json.dumps({"gaps": gaps(curves), "curves": raw}) + "\n",
        "overoptimisation.svg": plot(curves) + "\n",
    }
    context.write(texts)
    Console().print(texts["report.md"], highlight=False, soft_wrap=True)
    return flat(curves)


TASK = Task(name="overoptimisation", run=run, reads=lambda cfg: read(cfg, "study"), needs=add_arms)
