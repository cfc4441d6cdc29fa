"""How well the alignment of data with a target predicts what models learn from them."""

from __future__ import annotations

import json
from dataclasses import asdict

from omegaconf import DictConfig
from rich.console import Console

from ntp.errors import ConfigError
from ntp.evaluation.alignment_report import markdown, page
from ntp.formalization.alignment.study import MIN_CONDITIONS, ConditionResult, analyse, flat
from ntp.tasks.formalization.alignment_options import conditions_of, training_sections
from ntp.tracking.run_dir import RunDir
from ntp.workflow.context import Context
from ntp.workflow.plan import Needs
from ntp.workflow.stage import read
from ntp.workflow.task import Task

# Figures of what is examined, not of the model.
_CEILING = "reference/"


def run(context: Context) -> dict[str, float]:
    """Read what the runs of every condition found; write tables and plots."""
    cfg = context.cfg
    results = [_result(context, name) for name in conditions_of(cfg)]
    study = analyse(results)
    title = f"{cfg.name}: {len(results)} conditions, {len(cfg.alignment.seeds)} seeds"
    texts = {
        "report.md": markdown(title, study),
        "report.html": page(title, study),
        "results.json": json.dumps([asdict(result) for result in results], indent=2) + "\n",
    }
    context.write(texts)
    Console().print(texts["report.md"], highlight=False, soft_wrap=True)
    return flat(study)


def _result(context: Context, name: str) -> ConditionResult:
    runs = [_summary(context, f"{name}/{seed}") for seed in context.cfg.alignment.seeds]
    outcomes = {
        key: [run[key] for run in runs] for key in runs[0] if "/" in key and not key.startswith(_CEILING)
    }
    measures = _summary(context, f"{name}/alignment")
    return ConditionResult(name, measures, int(measures["num_distinct_tokens"]), outcomes)


def _summary(context: Context, role: str) -> dict[str, float]:
    return RunDir(context.inputs[role]).read_summary()


def _needs(needs: Needs) -> None:
    cfg = needs.cfg
    sections = training_sections(cfg)
    for name in conditions_of(cfg):
        chosen = ["+experiment=alignment", f"alignment.condition={name}", "seed=0"]
        needs.add(f"{name}/alignment", chosen, **sections)
    # Seed by seed, so that a study that is not finished has all conditions.
    for seed in cfg.alignment.seeds:
        for name in conditions_of(cfg):
            chosen = ["+experiment=condition_eval", f"alignment.condition={name}", f"seed={seed}"]
            needs.add(f"{name}/{seed}", chosen, **sections)


def _check(cfg: DictConfig) -> None:
    num = len(conditions_of(cfg))
    if num < MIN_CONDITIONS:
        raise ConfigError(
            f"alignment.conditions: {num} of them; a correlation needs at least {MIN_CONDITIONS}"
        )
    if not cfg.alignment.seeds:
        raise ConfigError("alignment.seeds is empty: give at least one seed")


TASK = Task(
    name="alignment_study",
    run=run,
    reads=lambda cfg: read(cfg, "alignment.conditions", "alignment.seeds"),
    needs=_needs,
    check=_check,
)
