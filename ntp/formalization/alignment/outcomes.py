"""What a model can do after training on a data condition: scores on held-out pairs, by three regimes."""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch

from ntp.formalization.alignment.conditions import TEMPLATE
from ntp.formalization.prompts import Template, choose_examples, prompt_of
from ntp.formalization.records import Pair
from ntp.formalization.translate import reference_likelihoods
from ntp.policy.policy import TacticPolicy
from ntp.seeding import derive_seed

_BATCH = 16
_ADAPT_BATCH = 8
_MAX_NORM = 1.0


def reference_loss(
    model: TacticPolicy, pairs: Sequence[Pair], train: Sequence[Pair], num_shots: int
) -> float:
    """The mean negative log-likelihood per token of the formal statements and their ends, in nats.

    Args:
        model: A policy that is shown its prompts as they are.
        pairs: Held-out pairs.
        train: Pairs that examples are drawn from, anew for each question.
        num_shots: Number of examples.
    """
    template, examples = Template(TEMPLATE), choose_examples(train, num_shots, "random", 0)
    log_prob, num_tokens = 0.0, 0
    for begin in range(0, len(pairs), _BATCH):
        batch = pairs[begin : begin + _BATCH]
        prompts = [prompt_of(template, pair, examples(pair)) for pair in batch]
        for likelihood in reference_likelihoods(model, prompts, batch):
            log_prob += likelihood.log_prob
            num_tokens += likelihood.num_tokens
    return -log_prob / num_tokens


def adapt(model: TacticPolicy, pairs: Sequence[Pair], num_steps: int, lr: float, seed: int) -> None:
    """Fine-tune a model on pairs, formal statements given informal ones, by AdamW.

    The learning rate falls linearly to zero.

    Args:
        model: A policy that is shown its prompts as they are.
        pairs: Training pairs.
        num_steps: Steps of 8 pairs.
        lr: Learning rate at the beginning.
        seed: Seed of the order.
    """
    draw, template = random.Random(derive_seed("adaptation", seed)), Template(TEMPLATE)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=lr)
    model.train()
    for step in range(num_steps):
        optimizer.param_groups[0]["lr"] = lr * (1 - step / num_steps)
        batch = draw.sample(pairs, min(_ADAPT_BATCH, len(pairs)))
        tokens = [model.encode_tactic(pair.formal) for pair in batch]
        log_p_N = model.score_texts([template.question(pair) for pair in batch], tokens).tactic_N
        num_tokens = sum(min(len(ids) + 1, model.max_tactic_tokens) for ids in tokens)
        optimizer.zero_grad()
        (-log_p_N.sum() / num_tokens).backward()
        torch.nn.utils.clip_grad_norm_(weights, _MAX_NORM)
        optimizer.step()
    model.eval()
