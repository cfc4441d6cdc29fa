"""Static evaluation of autoformalization: what a model writes for informal statements against references."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ntp.errors import DataError
from ntp.formalization.prompts import Template
from ntp.formalization.records import Pair, load_pairs
from ntp.formalization.scores.base import Score, Translation
from ntp.formalization.scores.likelihood import Perplexity, TokenLoss, TypeCheckRate
from ntp.formalization.scores.overlap import Bleu, ChrF
from ntp.formalization.scores.structure import ExactMatch, TreeSimilarity
from ntp.formalization.translate import Checkers, Prompting, translate
from ntp.formalization.typecheck.verdict import StatementChecker
from ntp.policy.policy import TacticPolicy

DEFAULT_TEMPLATE = "{informal}\nIn {language}:\n{formal}\n\n"


@dataclass(frozen=True, slots=True)
class Measured:
    """A score of a set of translations.

    Attributes:
        first: Of the greedy translation of every pair.
        selected: Of the first translation that type-checks, the greedy one where none does.
        best: Of the translation with the best value: what a perfect choice among them would give.
    """

    first: float
    selected: float
    best: float


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    Attributes:
        overall: By name of the score.
        by_topic: By topic, and then by name of the score; pairs without a topic are under an empty one.
        num_pairs: Number of pairs, by topic.
        num_samples: Translations of each pair.
        outcomes: Number of greedy translations by the prover's verdict; empty if it was not asked.
        signatures: By name of the score, of those that have one.
    """

    overall: dict[str, Measured]
    by_topic: dict[str, dict[str, Measured]]
    num_pairs: dict[str, int]
    num_samples: int
    outcomes: dict[str, int]
    signatures: dict[str, str]


def standard_scores() -> list[Score]:
    """The scores that need no proof search."""
    return [TypeCheckRate(), TokenLoss(), Perplexity(), Bleu(), ChrF(), ExactMatch(), TreeSimilarity()]


def eval_af_static(
    model: TacticPolicy,
    equi_score_or_loss: Score | Sequence[Score],
    eval_dataset: Path | Sequence[Pair],
    env: StatementChecker | None = None,
    prompting: Prompting | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> Evaluation:
    """Ask a model for the formal statement of every pair, and score what it writes.

    Args:
        model: A policy: `ntp.policy.factory` makes them of any causal language model.
        equi_score_or_loss: A score or several: a loss, an overlap with the reference, an equivalence.
        eval_dataset: Pairs, or a file of them.
        env: The prover that type-checks what the model writes; None to check nothing.
        prompting: How the model is asked; None for no example and one greedy statement.
        advance: Told the number of pairs done.

    Raises:
        DataError: There is no pair, or their file cannot be read.
        ConfigError: The prover is for other pairs.
        EnvError: The prover is missing or cannot start.
    """
    pairs = load_pairs(eval_dataset) if isinstance(eval_dataset, Path) else list(eval_dataset)
    scores = list(equi_score_or_loss) if isinstance(equi_score_or_loss, Sequence) else [equi_score_or_loss]
    checkers: Checkers | None = None if env is None else {env.prover: env}
    asked = prompting or Prompting(Template(DEFAULT_TEMPLATE), seed=0)
    return evaluate(translate(model, pairs, asked, checkers, advance), scores)


def evaluate(translations: Sequence[Sequence[Translation]], scores: Sequence[Score]) -> Evaluation:
    """Score translations.

    Args:
        translations: The translations of each pair, the greedy one first; the same number for all.
        scores: The scores.

    Raises:
        DataError: There is none.
    """
    if not translations:
        raise DataError("there is no pair to evaluate: choose another split")
    topics: dict[str, list[int]] = defaultdict(list)
    for index, of_pair in enumerate(translations):
        topics[of_pair[0].pair.topic or ""].append(index)
    everything = range(len(translations))
    overall: dict[str, Measured] = {}
    by_topic: dict[str, dict[str, Measured]] = {topic: {} for topic in sorted(topics)}
    for score in scores:
        values = _values(score, translations)
        overall[score.name] = _measured(score, translations, values, everything)
        for topic in by_topic:
            by_topic[topic][score.name] = _measured(score, translations, values, topics[topic])
    verdicts = [of_pair[0].verdict for of_pair in translations]
    return Evaluation(
        overall=overall,
        by_topic=by_topic,
        num_pairs={topic: len(topics[topic]) for topic in by_topic},
        num_samples=len(translations[0]),
        outcomes=dict(Counter(str(verdict.outcome) for verdict in verdicts if verdict is not None)),
        signatures={score.name: score.signature for score in scores if score.signature},
    )


def _values(score: Score, translations: Sequence[Sequence[Translation]]) -> list[list[float]]:
    """A score's value of every translation, by pair."""
    flat = iter(score.of_each([t for of_pair in translations for t in of_pair]))
    return [[next(flat) for _ in of_pair] for of_pair in translations]


def _measured(
    score: Score,
    translations: Sequence[Sequence[Translation]],
    values: Sequence[Sequence[float]],
    indices: Sequence[int],
) -> Measured:
    """A score of some of the pairs, by three choices among the translations of each."""
    sign = 1 if score.higher_is_better else -1

    def of(chosen: Callable[[int], int]) -> float:
        picked = [(i, chosen(i)) for i in indices]
        return score.overall([translations[i][j] for i, j in picked], [values[i][j] for i, j in picked])

    return Measured(
        first=of(lambda _: 0),
        selected=of(lambda i: _well_typed(translations[i])),
        best=of(lambda i: max(range(len(values[i])), key=lambda j: (sign * values[i][j], -j))),
    )


def _well_typed(of_pair: Sequence[Translation]) -> int:
    """Index of the first translation that the prover accepts; 0 without one."""
    return next((i for i, t in enumerate(of_pair) if t.verdict is not None and t.verdict.well_typed), 0)
