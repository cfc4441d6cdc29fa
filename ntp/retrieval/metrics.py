"""How good retrieved premises are, as ReProver measures it (`retrieval/model.py` of lean-dojo/ReProver).

Over the steps of recorded proofs whose tactic names at least one accessible premise (`RetrievalExample`):

    recall_at_k  |the k best retrieved ∩ premises used| / |premises used|, averaged over steps.
    mrr          1 / rank of the first premise used among the 100 best, 0 where it is not there, averaged over
                 steps.

A premise is itself if full name and file agree. Every step counts once, however many steps a theorem has and
however many premises it uses. ReProver reports the same numbers times 100.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from statistics import fmean

from ntp.errors import DataError
from ntp.retrieval.base import Retriever
from ntp.retrieval.examples import RetrievalExample

NUM_RANKED = 100
_CHUNK = 64


def recall_at(ranked: Sequence[int], used: Collection[int], k: int) -> float:
    """Share of the premises used that are among the first k."""
    return len(set(ranked[:k]) & set(used)) / len(used)


def reciprocal_rank(ranked: Sequence[int], used: Collection[int]) -> float:
    """1 / rank of the first premise that is used, counted from 1; 0 if there is none."""
    return next((1 / rank for rank, number in enumerate(ranked, start=1) if number in used), 0.0)


def assess(
    retriever: Retriever,
    examples: Sequence[RetrievalExample],
    on_done: Callable[[int], object] = lambda num: None,  # noqa: ARG005
) -> dict[str, float]:
    """`recall_at_1`, `recall_at_10` and `mrr` of a retriever, and `num_steps` that they are averaged over.

    Args:
        retriever: What is measured.
        examples: Of one side of the split.
        on_done: Told how many more examples are done.

    Raises:
        DataError: There are no examples.
    """
    if not examples:
        raise DataError("no step uses an accessible premise: extract more files or change data.split")
    ranks: list[list[int]] = []
    for begin in range(0, len(examples), _CHUNK):
        chunk = examples[begin : begin + _CHUNK]
        found = retriever.retrieve([e.state for e in chunk], [e.theorem for e in chunk], NUM_RANKED)
        ranks += [[hit.number for hit in hits] for hits in found]
        on_done(len(chunk))
    return metrics(ranks, examples)


def metrics(ranks: Sequence[Sequence[int]], examples: Sequence[RetrievalExample]) -> dict[str, float]:
    """The metrics of ranked premises, given by number, best first, for each example."""
    pairs = [(ranked, example.used) for ranked, example in zip(ranks, examples, strict=True)]
    return {
        "recall_at_1": fmean(recall_at(ranked, used, 1) for ranked, used in pairs),
        "recall_at_10": fmean(recall_at(ranked, used, 10) for ranked, used in pairs),
        "mrr": fmean(reciprocal_rank(ranked[:NUM_RANKED], used) for ranked, used in pairs),
        "num_steps": len(pairs),
    }
