"""Asks a language model for formal statements, and the prover what it thinks of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace

import torch

from ntp.formalization.declarations import first_statement
from ntp.formalization.prompts import BATCH_SIZE, NUM_SAMPLES, Examples, Template, no_examples, prompt_of
from ntp.formalization.records import Pair
from ntp.formalization.scores.base import Likelihood, Translation
from ntp.formalization.typecheck.verdict import StatementChecker, TypeVerdict, checker_for
from ntp.policy.policy import TacticPolicy
from ntp.policy.prompt import TEMPERATURE, SampleRequest, SamplingParams
from ntp.seeding import derive_seed

Checkers = Mapping[str, StatementChecker]


@dataclass(frozen=True)
class Prompting:
    """How a model is asked.

    Attributes:
        template: How pairs are shown.
        examples: Chooses the examples in front of a question.
        num_samples: Statements that a model writes for a pair. The first is decoded greedily.
        temperature: Temperature of the others.
        batch_size: Pairs that the model reads at once.
        seed: Seed of the samples.
    """

    template: Template
    examples: Examples = no_examples
    num_samples: int = NUM_SAMPLES
    temperature: float = TEMPERATURE
    batch_size: int = BATCH_SIZE
    _: KW_ONLY
    seed: int


def translate(
    model: TacticPolicy,
    pairs: Sequence[Pair],
    prompting: Prompting,
    checkers: Checkers | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> list[tuple[Translation, ...]]:
    """What a model writes for pairs, and how likely it finds their own statements.

    Args:
        model: The model.
        pairs: The pairs.
        prompting: How it is asked.
        checkers: Provers that check what it writes, by name; None to ask none.
        advance: Told the number of pairs done.

    Returns:
        `prompting.num_samples` translations of each pair, in order.

    Raises:
        ConfigError: There is no prover for a pair.
        EnvError: A prover is missing or cannot start.
    """
    found: list[tuple[Translation, ...]] = []
    for begin in range(0, len(pairs), prompting.batch_size):
        batch = pairs[begin : begin + prompting.batch_size]
        prompts = [prompt_of(prompting.template, pair, prompting.examples(pair)) for pair in batch]
        likelihoods = reference_likelihoods(model, prompts, batch)
        texts = _written(model, prompts, batch, prompting)
        found += [
            tuple(Translation(pair, text, None, likelihood) for text in of_pair)
            for pair, likelihood, of_pair in zip(batch, likelihoods, texts, strict=True)
        ]
        advance(len(batch))
    return found if checkers is None else checked(found, checkers)


def reference_likelihoods(
    model: TacticPolicy, prompts: Sequence[str], pairs: Sequence[Pair]
) -> list[Likelihood]:
    """How likely a model finds each pair's own statement after its prompt.

    A statement of more than `max_tactic_tokens` tokens is cut there, as the model's own would be; its stop
    token is then certain and not counted.
    """
    tokens = [model.encode_tactic(pair.formal) for pair in pairs]
    with torch.no_grad():
        log_probs = model.score_texts(prompts, tokens).tactic_N.tolist()
    return [
        Likelihood(log_prob, min(len(ids) + 1, model.max_tactic_tokens))
        for log_prob, ids in zip(log_probs, tokens, strict=True)
    ]


def checked(
    translations: Sequence[Sequence[Translation]], checkers: Checkers
) -> list[tuple[Translation, ...]]:
    """Translations with the prover's verdicts; equal statements after equal headers are checked once."""
    wanted = {_question(t) for of_pair in translations for t in of_pair}
    verdicts: dict[tuple[str, str, str], TypeVerdict] = {}
    # Sorted, because statements after one header are checked without loading it again.
    for prover, header, text in sorted(wanted):
        verdicts[prover, header, text] = checker_for(prover, checkers).check(header, text)
    return [tuple(replace(t, verdict=verdicts[_question(t)]) for t in of_pair) for of_pair in translations]


def _question(translation: Translation) -> tuple[str, str, str]:
    return translation.pair.prover, translation.pair.header, translation.text


def _written(
    model: TacticPolicy, prompts: Sequence[str], pairs: Sequence[Pair], prompting: Prompting
) -> list[list[str]]:
    """The statements that a model writes for each pair: the greedy one first."""
    texts = [
        [_statement(tactic.text, pair)] for tactic, pair in zip(model.greedy(prompts), pairs, strict=True)
    ]
    if prompting.num_samples == 1:
        return texts
    requests = [
        SampleRequest(
            prompt,
            tuple(
                SamplingParams(derive_seed(prompting.seed, "translation", pair.id, i), prompting.temperature)
                for i in range(1, prompting.num_samples)
            ),
        )
        for prompt, pair in zip(prompts, pairs, strict=True)
    ]
    for of_pair, pair, sampled in zip(texts, pairs, model.sample(requests), strict=True):
        of_pair += [_statement(tactic.text, pair) for tactic in sampled]
    return texts


def _statement(answer: str, pair: Pair) -> str:
    return first_statement(answer, pair.prover)
