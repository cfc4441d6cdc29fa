"""Prompts: a template, and examples from the training part in front of the question."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import bm25s

from ntp.errors import ConfigError, DataError
from ntp.formalization.records import Pair
from ntp.seeding import derive_seed

RANDOM = "random"
NEAREST = "nearest"
# Statements that a model writes for a pair, and pairs that it reads at once.
NUM_SAMPLES = 1
BATCH_SIZE = 16
# Names of provers in prompts.
LANGUAGES: Mapping[str, str] = {"coq": "Coq", "lean": "Lean 4", "lean3": "Lean 3", "isabelle": "Isabelle"}

_FIELDS = ("informal", "formal", "header", "language")
_FIELD = re.compile(rf"\{{({'|'.join(_FIELDS)})\}}")
_WORD = re.compile(r"[^\W\d_]+|\d+|\\[a-zA-Z]+|[^\w\s]")


@dataclass(frozen=True)
class Template:
    """How a pair is shown. The part before `{formal}` alone is the question.

    Attributes:
        text: Text with `{informal}` and after it `{formal}`, each once; `{header}` and `{language}` too if
            they are wanted.

    Raises:
        ConfigError: One of the two is missing, or `{formal}` stands first.
    """

    text: str

    def __post_init__(self) -> None:
        """Check the fields."""
        found = _FIELD.findall(self.text)
        if found.count("formal") != 1 or found.count("informal") != 1:
            raise ConfigError(f"template {self.text!r} must contain {{informal}} and {{formal}} once")
        if found.index("formal") < found.index("informal"):
            raise ConfigError(f"template {self.text!r}: {{informal}} must stand before {{formal}}")

    def question(self, pair: Pair) -> str:
        """What a model is asked about a pair: nothing in it comes from its formal statement."""
        return _filled(self.text[: self.text.index("{formal}")], pair)

    def example(self, pair: Pair) -> str:
        """A pair with its answer."""
        return _filled(self.text, pair)

    @property
    def ending(self) -> str:
        """What stands after an answer; empty if the template ends with it."""
        return self.text[self.text.index("{formal}") + len("{formal}") :]


Examples = Callable[[Pair], Sequence[Pair]]


def no_examples(_: Pair) -> Sequence[Pair]:
    """For questions without examples."""
    return ()


def choose_examples(pool: Sequence[Pair], num: int, choice: str, seed: int) -> Examples:
    """How examples for a question are chosen.

    Args:
        pool: Pairs of the training part. A pair with the question's own informal statement is never chosen.
        num: Number of examples.
        choice: `random`, drawn anew for each question, or `nearest`, by BM25 of the informal statements, the
            nearest last.
        seed: Seed of what is drawn.

    Raises:
        ConfigError: There is no such choice.
        DataError: The pool is too small.
    """
    if choice not in (RANDOM, NEAREST):
        raise ConfigError(f"formalization.choice={choice} is unknown: choose {RANDOM} or {NEAREST}")
    if num == 0:
        return no_examples
    if len(pool) <= num:
        raise DataError(f"{num} examples cannot be chosen from a training part of {len(pool)} pairs")
    return _Random(pool, num, seed) if choice == RANDOM else _Nearest(pool, num)


def prompt_of(template: Template, pair: Pair, examples: Sequence[Pair]) -> str:
    """The examples, each with its answer, and the question."""
    return "".join(template.example(example) for example in examples) + template.question(pair)


@dataclass(frozen=True)
class _Random:
    pool: Sequence[Pair]
    num: int
    seed: int

    def __call__(self, pair: Pair) -> Sequence[Pair]:
        drawn = random.Random(derive_seed(self.seed, "examples", pair.id))
        order = drawn.sample(range(len(self.pool)), self.num + 1)
        return _others(pair, [self.pool[i] for i in order], self.num)


class _Nearest:
    def __init__(self, pool: Sequence[Pair], num: int) -> None:
        self._pool, self._num = pool, num
        self._index = bm25s.BM25()
        self._index.index([_words(pair.informal) for pair in pool], show_progress=False)

    def __call__(self, pair: Pair) -> Sequence[Pair]:
        scores = self._index.get_scores(_words(pair.informal))
        order = sorted(range(len(self._pool)), key=lambda i: (-scores[i], i))[: self._num + _SPARE]
        return _others(pair, [self._pool[i] for i in order], self._num)[::-1]


# Pairs with the question's own text that may be passed over.
_SPARE = 16


def _others(pair: Pair, found: Sequence[Pair], num: int) -> list[Pair]:
    return [other for other in found if other.informal != pair.informal][:num]


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)] or [""]


def _filled(text: str, pair: Pair) -> str:
    """The text with its fields, each replaced once: what a statement holds is not looked at again."""
    values = {
        "informal": pair.informal,
        "formal": pair.formal,
        "header": pair.header,
        "language": LANGUAGES.get(pair.prover, pair.prover),
    }
    return _FIELD.sub(lambda match: values[match[1]], text)
