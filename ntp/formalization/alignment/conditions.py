"""Data conditions: what a model is trained on, all with the same number of tokens."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from transformers import PreTrainedTokenizerBase

from ntp.errors import ConfigError, DataError
from ntp.formalization.records import Pair
from ntp.seeding import derive_seed

# Made of the training pairs.
PAIRS, SHUFFLED, INFORMAL, FORMAL = "pairs", "shuffled_pairs", "informal", "formal"
# A statement with its documentation comment, as Coq's sources have it.
TEMPLATE = "(** {informal} *)\n{formal}\n\n"
OF_PAIRS = (PAIRS, SHUFFLED, INFORMAL, FORMAL)


@dataclass(frozen=True)
class Condition:
    """What a model is trained on.

    Attributes:
        texts: The parts of the token budget that sources have, in any unit.
        distinct: Share of the budget that is different texts; they are repeated until it is spent.

    Raises:
        ConfigError: A number is out of range, or there is no source.
    """

    texts: Mapping[str, float]
    distinct: float = 1.0

    def __post_init__(self) -> None:
        if not self.texts or any(share <= 0 for share in self.texts.values()):
            raise ConfigError("a condition's texts are a mapping from sources to shares above 0")
        if not 0 < self.distinct <= 1:
            raise ConfigError(f"distinct={self.distinct}: give a share above 0 and at most 1")


@dataclass(frozen=True)
class Composed:
    """The texts of a condition.

    Attributes:
        texts: The different texts, by source.
        blocks: Token ids, all blocks of equal length; texts end with the tokenizer's end of text.
        num_distinct_tokens: Tokens of the different texts together.
    """

    texts: Mapping[str, Sequence[str]]
    blocks: Sequence[tuple[int, ...]] = field(repr=False)
    num_distinct_tokens: int


def rendered(informal: str, formal: str) -> str:
    """A pair as a text: the statement with its documentation comment."""
    return TEMPLATE.format(informal=informal, formal=formal).strip()


def pair_texts(pairs: Sequence[Pair]) -> dict[str, list[str]]:
    """The sources that are made of pairs.

    `shuffled_pairs` have the same informal and formal statements, each informal one with the formal one of
    another pair.
    """
    order = list(pairs)
    random.Random(derive_seed("shuffled pairs")).shuffle(order)
    # Each gets the next one's in a random cycle, so none keeps its own.
    turned = [*order[1:], *order[:1]]
    return {
        PAIRS: [rendered(pair.informal, pair.formal) for pair in pairs],
        SHUFFLED: [rendered(a.informal, b.formal) for a, b in zip(order, turned, strict=True)],
        INFORMAL: [pair.informal for pair in pairs],
        FORMAL: [pair.formal for pair in pairs],
    }


def compose(
    condition: Condition,
    sources: Mapping[str, Sequence[str]],
    tokenizer: PreTrainedTokenizerBase,
    num_blocks: int,
    block_tokens: int,
    seed: int,
) -> Composed:
    """Texts of a condition, exactly `num_blocks * block_tokens` tokens of them.

    Args:
        condition: What to take.
        sources: Texts of each source.
        tokenizer: The model's tokenizer.
        num_blocks: Number of blocks.
        block_tokens: Tokens of a block.
        seed: Seed of the choice and of the order of texts.

    Raises:
        ConfigError: There is no such source.
        DataError: A source is empty.
    """
    total, shares = num_blocks * block_tokens, sum(condition.texts.values())
    chosen: dict[str, list[str]] = {}
    encoded: list[list[int]] = []
    num_distinct = 0
    for name, share in condition.texts.items():
        if name not in sources:
            raise ConfigError(f"there is no source {name!r}; there are {', '.join(sorted(sources))}")
        budget = round(total * share / shares)
        texts, ids = _different(sources[name], tokenizer, round(budget * condition.distinct), (name, seed))
        if not ids:
            raise DataError(f"the source {name!r} has no text")
        chosen[name] = texts
        num_distinct += min(budget, sum(map(len, ids)))
        encoded += _repeated(ids, budget)
    random.Random(derive_seed("order of texts", seed)).shuffle(encoded)
    # Rounding may leave a few tokens too few: the first ones are repeated.
    stream = list(chain(*encoded))
    stream = (stream * (total // len(stream) + 1))[:total]
    blocks = [tuple(stream[i : i + block_tokens]) for i in range(0, total, block_tokens)]
    return Composed(chosen, blocks, num_distinct)


def _different(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, budget: int, name: tuple[str, int]
) -> tuple[list[str], list[list[int]]]:
    """Texts in random order until they have `budget` tokens, the last of them cut, with their tokens."""
    order = list(texts)
    random.Random(derive_seed("texts of a condition", *name)).shuffle(order)
    chosen: list[str] = []
    encoded: list[list[int]] = []
    left = budget
    for text in order:
        if left <= 0:
            break
        ids = [*tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
        chosen.append(text)
        encoded.append(ids[:left])
        left -= len(ids)
    return chosen, encoded


def _repeated(encoded: Sequence[list[int]], budget: int) -> list[list[int]]:
    """The texts again and again until they have exactly `budget` tokens."""
    found: list[list[int]] = []
    left = budget
    while left > 0:
        for ids in encoded:
            if left <= 0:
                break
            found.append(ids[:left])
            left -= len(found[-1])
    return found
