"""Examine a model that was trained on a data condition on held-out pairs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig
from rich.console import Console
from sacrebleu.metrics.bleu import BLEU

from ntp.errors import DataError
from ntp.formalization.alignment.conditions import rendered
from ntp.formalization.alignment.outcomes import adapt, prompts_of, reference_loss, written
from ntp.formalization.records import Pair
from ntp.policy.causal import CausalPolicy
from ntp.tasks.builders import load_policy
from ntp.tasks.formalization.alignment_options import (
    add_texts,
    condition_of,
    load_sources,
    training_sections,
)
from ntp.workflow.context import Context
from ntp.workflow.plan import Needs
from ntp.workflow.stage import read
from ntp.workflow.task import Task


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
    texts = written(model, tokenizer, plain, options.max_new_tokens)
    bleu = BLEU()
    summary["adapted/bleu"] = bleu.corpus_score(texts, [[pair.formal for pair in pairs]]).score
    context.write({"written.jsonl": _lines(pairs, texts), "signature.txt": f"{bleu.get_signature()}\n"})
    Console().print({key: round(value, 3) for key, value in summary.items()})
    return summary
