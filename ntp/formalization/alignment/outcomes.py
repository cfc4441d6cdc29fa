"""What a model can do after training: the loss of references, and what it writes."""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ntp.formalization.alignment.conditions import rendered
from ntp.formalization.records import Pair
from ntp.seeding import derive_seed

_IGNORED = -100
_BATCH = 16
_ADAPT_BATCH = 8


def prompts_of(pairs: Sequence[Pair], train: Sequence[Pair], num_shots: int) -> list[str]:
    """The prompt of each pair, after some pairs of the training part, drawn for each of them."""
    prompts = []
    for pair in pairs:
        shots = random.Random(derive_seed("shots", pair.id)).sample(train, num_shots) if num_shots else []
        prompts.append(
            "\n\n".join([*(rendered(s.informal, s.formal) for s in shots), rendered(pair.informal)])
        )
    return prompts


@torch.no_grad()
def reference_loss(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str], pairs: Sequence[Pair]
) -> float:
    """The mean negative log-likelihood per token of the formal statements and their ends, in nats."""
    total, num_tokens = 0.0, 0
    for begin in range(0, len(pairs), _BATCH):
        rows = [
            _row(tokenizer, prompt, pair.formal, _room(model))
            for prompt, pair in zip(
                prompts[begin : begin + _BATCH], pairs[begin : begin + _BATCH], strict=True
            )
        ]
        sums, counts = _nll(model, tokenizer, rows)
        total += float(sums)
        num_tokens += counts
    return total / num_tokens


def adapt(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    pairs: Sequence[Pair],
    num_steps: int,
    lr: float,
    seed: int,
) -> None:
    """Fine-tune a model on pairs, formal statements given informal ones; `num_steps` steps of AdamW.

    The learning rate falls linearly to zero.
    """
    draw = random.Random(derive_seed("adaptation", seed))
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    model.train()
    for step in range(num_steps):
        optimizer.param_groups[0]["lr"] = lr * (1 - step / num_steps)
        batch = draw.sample(pairs, min(_ADAPT_BATCH, len(pairs)))
        rows = [_row(tokenizer, rendered(pair.informal), pair.formal, _room(model)) for pair in batch]
        sums, counts = _nll(model, tokenizer, rows)
        optimizer.zero_grad()
        (sums / counts).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    model.eval()


@torch.no_grad()
def written(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str], max_new_tokens: int
) -> list[str]:
    """What a model writes after each prompt, greedily, up to the end of its first sentence."""
    texts: list[str] = []
    for begin in range(0, len(prompts), _BATCH):
        room = _room(model) - max_new_tokens
        rows = [
            tokenizer(prompt, add_special_tokens=False)["input_ids"][-room:]
            for prompt in prompts[begin : begin + _BATCH]
        ]
        longest = max(map(len, rows))
        pad = _pad(tokenizer)
        ids = torch.tensor([[pad] * (longest - len(row)) + row for row in rows], device=model.device)
        mask = torch.tensor(
            [[0] * (longest - len(row)) + [1] * len(row) for row in rows], device=model.device
        )
        out = model.generate(  # pyright: ignore[reportCallIssue]
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=max_new_tokens,
            do_sample=False,
            pad_token_id=pad,
            eos_token_id=tokenizer.eos_token_id,
        )
        texts += tokenizer.batch_decode(out[:, longest:], skip_special_tokens=True)
    return texts


def _row(
    tokenizer: PreTrainedTokenizerBase, prompt: str, formal: str, room: int
) -> tuple[list[int], list[int]]:
    """Token ids and labels of a prompt and its reference; a long prompt loses its beginning."""
    learned = [*tokenizer(formal, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id][: room // 2]
    before = tokenizer(prompt, add_special_tokens=False)["input_ids"][len(learned) - room :]
    return [*before, *learned], [_IGNORED] * len(before) + learned


def _nll(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[tuple[list[int], list[int]]],
) -> tuple[Tensor, int]:
    """The summed negative log-likelihood of the learned tokens of rows, and their number."""
    longest = max(len(ids) for ids, _ in rows)

    def padded(values: Sequence[Sequence[int]], filler: int) -> Tensor:
        return torch.tensor([[*row, *[filler] * (longest - len(row))] for row in values], device=model.device)

    ids_NL = padded([ids for ids, _ in rows], _pad(tokenizer))
    labels_NL = padded([labels for _, labels in rows], _IGNORED)[:, 1:]
    mask_NL = padded([[1] * len(ids) for ids, _ in rows], 0)
    logits_NLV = model(input_ids=ids_NL, attention_mask=mask_NL, use_cache=False).logits[:, :-1].float()
    sums = functional.cross_entropy(
        logits_NLV.flatten(0, 1), labels_NL.flatten(), ignore_index=_IGNORED, reduction="sum"
    )
    return sums, int((labels_NL != _IGNORED).sum())


def _room(model: PreTrainedModel) -> int:
    return min(2048, model.config.max_position_embeddings)


def _pad(tokenizer: PreTrainedTokenizerBase) -> int:
    return tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
