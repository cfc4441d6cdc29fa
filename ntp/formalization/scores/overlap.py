"""BLEU and chrF, as sacrebleu computes them, from 0 to 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from ntp.formalization.scores.base import Translation


@dataclass(frozen=True)
class Bleu:
    """BLEU (Papineni et al. 2002) with sacrebleu's defaults; of one sentence with its effective order.

    Attributes:
        tokenize: How sacrebleu cuts texts into words.
    """

    tokenize: str = "13a"
    name: str = "bleu"
    higher_is_better: bool = True

    @property
    def signature(self) -> str:
        """sacrebleu's, of the overall value."""
        self._corpus.corpus_score(["x"], [["x"]])  # there is none before it has counted references
        return str(self._corpus.get_signature())

    def of_each(self, translations: Sequence[Translation]) -> list[float]:
        """See `Score.of_each`."""
        return [
            _share(self._sentence.sentence_score(_line(t.text), [_line(t.pair.formal)]).score)
            for t in translations
        ]

    def overall(self, translations: Sequence[Translation], values: Sequence[float]) -> float:  # noqa: ARG002
        """See `Score.overall`."""
        return _share(self._corpus.corpus_score(*_texts(translations)).score)

    @cached_property
    def _corpus(self) -> BLEU:
        return BLEU(tokenize=self.tokenize)

    @cached_property
    def _sentence(self) -> BLEU:
        return BLEU(tokenize=self.tokenize, effective_order=True)


@dataclass(frozen=True)
class ChrF:
    """chrF (Popović 2015) with sacrebleu's defaults."""

    name: str = "chrf"
    higher_is_better: bool = True

    @property
    def signature(self) -> str:
        """Sacrebleu's."""
        self._metric.corpus_score(["x"], [["x"]])
        return str(self._metric.get_signature())

    def of_each(self, translations: Sequence[Translation]) -> list[float]:
        """See `Score.of_each`."""
        return [
            _share(self._metric.sentence_score(_line(t.text), [_line(t.pair.formal)]).score)
            for t in translations
        ]

    def overall(self, translations: Sequence[Translation], values: Sequence[float]) -> float:  # noqa: ARG002
        """See `Score.overall`."""
        return _share(self._metric.corpus_score(*_texts(translations)).score)

    @cached_property
    def _metric(self) -> CHRF:
        return CHRF()


def _share(percent: float) -> float:
    """From 0 to 1; sacrebleu's sums may round to a little above 100."""
    return min(1.0, percent / 100)


def _texts(translations: Sequence[Translation]) -> tuple[list[str], list[list[str]]]:
    return [_line(t.text) for t in translations], [[_line(t.pair.formal) for t in translations]]


def _line(text: str) -> str:
    """Layout is no part of a statement, and sacrebleu takes a line for a sentence."""
    return " ".join(text.split())
