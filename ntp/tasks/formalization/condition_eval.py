"""Examine a model that was trained on a data condition on held-out pairs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console
from sacrebleu.metrics.bleu import BLEU

from ntp.errors import DataError
from ntp.formalization.alignment.outcomes import adapt, prompts_of, reference_loss, written
from ntp.formalization.declarations import first_statement
from ntp.formalization.records import Pair
from ntp.formalization.typecheck.coq import CoqStatementChecker
from ntp.policy.causal import CausalPolicy
from ntp.tasks.builders import load_policy
from ntp.tasks.formalization.alignment_options import (
    add_texts,
    condition_of,
    load_sources,
    training_sections,
)
from ntp.tasks.needs import prover_reads
from ntp.workflow.context import Context
from ntp.workflow.plan import Needs
from ntp.workflow.stage import read
from ntp.workflow.task import Task

# For pairs without a header of their own.
HEADER = """From Coq Require Import Arith Bool List ZArith QArith Reals Relations Sorting Sets.Ensembles.
Import ListNotations."""


def run(context: Context) -> dict[str, float]:
    """Losses of the references zero-shot, few-shot and after a short fine-tuning, and scores of what is written.

    The fine-tuning is the same after every condition: what a condition is worth shows in what is left to learn.
    """
    cfg, options = context.cfg, context.cfg.alignment.outcomes
    _, train, test = load_sources(context.inputs["texts"])
    pairs = test[: options.num_pairs]
    if len(train) < options.num_shots:
        raise DataError(f"there are {len(train)} training pairs: lower alignment.outcomes.num_shots")
    policy = load_policy(cfg, context.inputs["policy"])
    assert isinstance(policy, CausalPolicy)
    model, tokenizer = policy.decoder.model, policy.tokenizer
    plain, few = prompts_of(pairs, [], 0), prompts_of(pairs, train, options.num_shots)
    summary = {
        "zero_shot/loss": reference_loss(model, tokenizer, plain, pairs),
        "few_shot/loss": reference_loss(model, tokenizer, few, pairs),
    }
    adapt(model, tokenizer, train[: options.adapt_pairs], options.adapt_steps, options.adapt_lr, cfg.seed)
    summary["adapted/loss"] = reference_loss(model, tokenizer, plain, pairs)
    texts = [
        first_statement(text, pair.prover)
        for pair, text in zip(pairs, written(model, tokenizer, plain, options.max_new_tokens), strict=True)
    ]
    bleu = BLEU()
    summary["adapted/bleu"] = bleu.corpus_score(texts, [[pair.formal for pair in pairs]]).score
    context.write({"written.jsonl": _lines(pairs, texts), "signature.txt": f"{bleu.get_signature()}\n"})
    if options.type_check:
        summary["adapted/type_check"] = type_check_rate(cfg, pairs, texts)
        summary["reference/type_check"] = type_check_rate(cfg, pairs, [pair.formal for pair in pairs])
    Console().print({key: round(value, 3) for key, value in summary.items()})
    return summary


def type_check_rate(cfg: DictConfig, pairs: Sequence[Pair], statements: Sequence[str]) -> float:
    """Share of statements that Coq accepts after the headers of their pairs, or a common one without any.

    Raises:
        EnvError: Coq is missing.
    """
    factory = instantiate(cfg.env)
    checker = CoqStatementChecker(factory.project, factory.limits)
    headed = sorted((pair.header or HEADER, text) for pair, text in zip(pairs, statements, strict=True))
    try:
        return sum(checker.check(header, text).well_typed for header, text in headed) / len(headed)
    finally:
        checker.close()


def _lines(pairs: Sequence[Pair], texts: Sequence[str]) -> str:
    rows = [
        {"id": pair.id, "informal": pair.informal, "formal": pair.formal, "written": text}
        for pair, text in zip(pairs, texts, strict=True)
    ]
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _needs(needs: Needs) -> None:
    cfg = needs.cfg
    add_texts(needs)
    needs.add("policy", ["+experiment=train_condition"], **training_sections(cfg))


def _reads(cfg: DictConfig) -> dict[str, Any]:
    values = read(cfg, "seed", "model", "alignment.outcomes")
    if cfg.alignment.outcomes.type_check:
        values |= prover_reads(cfg)
    return values


def _check(cfg: DictConfig) -> None:
    condition_of(cfg)


TASK = Task(name="condition_eval", run=run, reads=_reads, needs=_needs, check=_check)
