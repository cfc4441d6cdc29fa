"""Steps of recorded proofs as examples for retrieval: a state and the premises that its tactic names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ntp.data.records import TheoremRecord
from ntp.retrieval.corpus import PremiseCorpus
from ntp.types import Theorem


@dataclass(frozen=True, slots=True)
class RetrievalExample:
    """A step that uses at least one accessible premise.

    Attributes:
        state: As a policy reads it.
        theorem: The theorem whose proof contains the step.
        used: Indices of the accessible premises that the tactic names; distinct, at least one.
    """

    state: str
    theorem: Theorem
    used: tuple[int, ...]


def retrieval_examples(corpus: PremiseCorpus, records: Iterable[TheoremRecord]) -> list[RetrievalExample]:
    """The steps of recorded proofs that use at least one accessible premise, in order.

    Named premises that are not accessible by the rules of `ntp.retrieval.corpus` (derived ones of the
    theorem's own file before their first use, files of the project that were not extracted) are left out, and
    so are names without a record.

    Raises:
        DataError: What a theorem may use is unknown.
    """
    examples = []
    for record in records:
        for step in record.steps:
            numbers = dict.fromkeys(corpus.numbers(step.premises))
            if not numbers:
                continue
            mask = corpus.mask(record.theorem)
            used = tuple(number for number in numbers if mask[number])
            if used:
                examples.append(RetrievalExample(step.state, record.theorem, used))
    return examples
