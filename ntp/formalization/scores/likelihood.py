"""Loss and perplexity of the reference, and the share of statements that type-check."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ntp.formalization.scores.base import Likelihood, Translation, mean


@dataclass(frozen=True)
class TokenLoss:
    """Negative log-likelihood of the reference per token, in nats, stop token included.

    Overall it is per token of all references together, so long statements weigh more.
    """

    name: str = "token_loss"
    higher_is_better: bool = False
    signature: str = ""

    def of_each(self, translations: Sequence[Translation]) -> list[float]:
        """See `Score.of_each`."""
        return [-own.log_prob / own.num_tokens for own in map(_likelihood, translations)]

    def overall(self, translations: Sequence[Translation], values: Sequence[float]) -> float:  # noqa: ARG002
        """See `Score.overall`."""
        found = list(map(_likelihood, translations))
        return -sum(own.log_prob for own in found) / sum(own.num_tokens for own in found)


@dataclass(frozen=True)
class Perplexity:
    """The exponential of `TokenLoss`. Comparable only between models with one tokenizer."""

    name: str = "perplexity"
    higher_is_better: bool = False
    signature: str = ""
    loss: TokenLoss = TokenLoss()

    def of_each(self, translations: Sequence[Translation]) -> list[float]:
        """See `Score.of_each`."""
        return [math.exp(value) for value in self.loss.of_each(translations)]

    def overall(self, translations: Sequence[Translation], values: Sequence[float]) -> float:
        """See `Score.overall`."""
        return math.exp(self.loss.overall(translations, values))


@dataclass(frozen=True)
class TypeCheckRate:
    """Share of translations that the prover accepts as a statement."""

    name: str = "type_check"
    higher_is_better: bool = True
    signature: str = ""

    def of_each(self, translations: Sequence[Translation]) -> list[float]:
        """See `Score.of_each`."""
        return [float(t.verdict is not None and t.verdict.well_typed) for t in translations]

    def overall(self, translations: Sequence[Translation], values: Sequence[float]) -> float:  # noqa: ARG002
        """See `Score.overall`."""
        return mean(values)


def _likelihood(translation: Translation) -> Likelihood:
    if translation.likelihood is None:
        raise ValueError(f"{translation.pair.id}: no model was asked how likely the reference is")
    return translation.likelihood
