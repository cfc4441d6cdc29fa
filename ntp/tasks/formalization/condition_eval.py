"""Examine a model that was trained on a data condition on held-out pairs."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console

from ntp.errors import DataError
from ntp.formalization.alignment.conditions import TEMPLATE
from ntp.formalization.alignment.outcomes import adapt, reference_loss
from ntp.formalization.prompts import Template
from ntp.formalization.records import Pair
from ntp.formalization.scores.likelihood import TypeCheckRate
from ntp.formalization.scores.overlap import Bleu, ChrF
from ntp.formalization.static import evaluate
from ntp.formalization.translate import Prompting, translate
from ntp.formalization.typecheck.coq import CoqStatementChecker
from ntp.policy.causal import CausalPolicy
from ntp.policy.policy import TacticPolicy
from ntp.tasks.builders import load_policy
from ntp.tasks.formalization.alignment_options import (
    add_texts,
    condition_of,
    load_sources,
    training_sections,
)
from ntp.tasks.needs import prover_reads
from ntp.tracking.progress import ProgressReporter
from ntp.workflow.context import Context
from ntp.workflow.plan import Needs
from ntp.workflow.stage import read
from ntp.workflow.task import Task


def run(context: Context) -> dict[str, float]:
    """Losses of references zero-shot, few-shot and after a short fine-tuning, and scores of what it writes.

    The fine-tuning is the same after every condition: what that is worth shows in what is left to learn.
    """
    cfg, options = context.cfg, context.cfg.alignment.outcomes
    _, train, test = load_sources(context.inputs["texts"])
    if len(train) <= options.num_shots:
        raise DataError(f"there are {len(train)} training pairs: lower alignment.outcomes.num_shots")
    pairs = random.Random(0).sample(test, min(options.num_pairs, len(test)))
    policy = load_policy(cfg, context.inputs["policy"])
    assert isinstance(policy, CausalPolicy)  # train_condition makes no other
    model = policy.with_plain_prompts()
    summary = {
        "zero_shot/loss": reference_loss(model, pairs, (), 0),
        "few_shot/loss": reference_loss(model, pairs, train, options.num_shots),
    }
    learned = random.Random(0).sample(train, min(options.adapt_pairs, len(train)))
    adapt(model, learned, options.adapt_steps, options.adapt_lr, cfg.seed)
    summary["adapted/loss"] = reference_loss(model, pairs, (), 0)
    with ProgressReporter(f"{cfg.name}: {cfg.alignment.condition}", len(pairs), "pairs") as progress:
        found, lines = _written(cfg, model, pairs, progress.advance)
    context.write({"written.jsonl": lines})
    summary |= found
    Console().print({key: round(value, 3) for key, value in summary.items()})
    return summary


def _written(
    cfg: DictConfig, model: TacticPolicy, pairs: Sequence[Pair], advance: Callable[[int], None]
) -> tuple[dict[str, float], str]:
    """Scores of what a model writes, and what it writes as JSON lines."""
    prompting = Prompting(Template(TEMPLATE), seed=cfg.seed)
    scores = [Bleu(), ChrF()]
    if cfg.alignment.outcomes.type_check:
        factory = instantiate(cfg.env)
        checker = CoqStatementChecker(factory.project, factory.limits)
        try:
            translations = translate(model, pairs, prompting, {"coq": checker}, advance)
        finally:
            checker.close()
        scores.append(TypeCheckRate())
    else:
        translations = translate(model, pairs, prompting, None, advance)
    evaluation = evaluate(translations, scores)
    rows = [{"id": t.pair.id, "formal": t.pair.formal, "written": t.text} for (t,) in translations]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return {f"adapted/{name}": value.first for name, value in evaluation.overall.items()}, lines


def _needs(needs: Needs) -> None:
    add_texts(needs)
    needs.add("policy", ["+experiment=train_condition"], **training_sections(needs.cfg))


def _reads(cfg: DictConfig) -> dict[str, Any]:
    values = read(cfg, "seed", "model", "alignment.outcomes")
    return values | prover_reads(cfg) if cfg.alignment.outcomes.type_check else values


TASK = Task(name="condition_eval", run=run, reads=_reads, needs=_needs, check=condition_of)
