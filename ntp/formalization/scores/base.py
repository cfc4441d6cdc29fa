"""The interface of scores, and what they score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ntp.formalization.records import Pair
from ntp.formalization.typecheck.verdict import TypeVerdict


@dataclass(frozen=True, slots=True)
class Likelihood:
    """How likely a model finds a pair's own formal statement.

    Attributes:
        log_prob: Log-probability of its tokens and of the stop token, in nats.
        num_tokens: Their number, the stop token included.
    """

    log_prob: float
    num_tokens: int


@dataclass(frozen=True, slots=True)
class Translation:
    """What a model wrote for a pair.

    Attributes:
        pair: The pair.
        text: The formal statement that the model wrote.
        verdict: What the prover says of it; None if it was not asked.
        likelihood: How likely the model finds the pair's own statement; None if it was not asked.
    """

    pair: Pair
    text: str
    verdict: TypeVerdict | None = None
    likelihood: Likelihood | None = None


class Score(Protocol):
    """A number for translations: how close they are to the reference, or how good the model is at it.

    Attributes:
        name: Its name in tables and summaries.
        higher_is_better: Whether the best of several translations has the highest value.
        signature: What is needed to compute the same number again, as sacrebleu prints it; may be empty.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - see Attributes

    @property
    def higher_is_better(self) -> bool: ...  # noqa: D102

    @property
    def signature(self) -> str: ...  # noqa: D102

    def of_each(self, translations: Sequence[Translation]) -> list[float]:
        """A value for each translation, in order."""
        ...

    def overall(self, translations: Sequence[Translation], values: Sequence[float]) -> float:
        """The value of all together, which need not be a mean: BLEU and perplexity are not.

        Args:
            translations: At least one.
            values: What `of_each` gives for them.
        """
        ...


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean of at least one value."""
    return sum(values) / len(values)
