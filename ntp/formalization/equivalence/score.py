"""Equivalence as a score of what a model writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ntp.errors import ConfigError, InitError
from ntp.formalization.equivalence.outcome import Judgement, Outcome
from ntp.formalization.scores.base import Translation, mean


class Equivalence(Protocol):
    """Compares statements of one prover: `CoqEquivalence` and `LeanEquivalence`."""

    def judge(self, header: str, reference: str, candidates: Sequence[str]) -> list[Judgement]:
        """See `CoqEquivalence.judge`."""
        ...

    def close(self) -> None:
        """End the processes. Safe to call twice."""
        ...


@dataclass(frozen=True)
class EquivalenceScore:
    """Share of translations that are shown equivalent to their reference. See `Score`.

    A reference that cannot be stated counts as not shown, so that a rate is over all translations.

    Attributes:
        judges: What compares statements, by prover.
        signature: The budget, in words.
    """

    judges: Mapping[str, Equivalence] = field(repr=False)
    signature: str = ""
    name: str = "equivalence"
    higher_is_better: bool = True

    def of_each(self, translations: Sequence[Translation]) -> list[float]:
        """1 for each translation that is equivalent, else 0. Those of one reference are judged together.

        Raises:
            ConfigError: There is no judge for a translation's prover.
            EnvError: A prover is missing or cannot start.
        """
        groups: dict[tuple[str, str, str], list[int]] = {}
        for index, translation in enumerate(translations):
            pair = translation.pair
            if pair.prover not in self.judges:
                raise ConfigError(f"statements of {pair.prover} cannot be compared here")
            groups.setdefault((pair.prover, pair.header, pair.formal), []).append(index)
        values = [0.0] * len(translations)
        for (prover, header, formal), indices in sorted(groups.items()):
            texts = [translations[index].text for index in indices]
            try:
                judged = self.judges[prover].judge(header, formal, texts)
            except InitError:
                continue
            for index, judgement in zip(indices, judged, strict=True):
                values[index] = float(judgement.outcome == Outcome.EQUIVALENT)
        return values

    def overall(self, translations: Sequence[Translation], values: Sequence[float]) -> float:  # noqa: ARG002
        """See `Score.overall`."""
        return mean(values)
