"""Quality of retrieved premises, measured as ReProver does (`retrieval/model.py` of lean-dojo/ReProver).

The metrics are over the steps of recorded proofs whose tactic names at least one accessible premise
(`RetrievalExample`):

    recall_at_k  |k best retrieved premises ∩ used premises| / |used premises|, mean over steps.
    mrr          1 / rank of the first used premise among the 100 best, 0 if there is none, mean over steps.

Two premises are the same if full name and file agree. Every step has the same weight, however many steps its
theorem has and however many premises it uses. ReProver reports the same numbers times 100.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean

import torch
from torchmetrics.functional.retrieval import retrieval_recall, retrieval_reciprocal_rank

from ntp.errors import DataError
from ntp.retrieval.base import Retriever
from ntp.retrieval.examples import RetrievalExample

NUM_RANKED = 100
_CHUNK = 64


def assess(
    retriever: Retriever,
    examples: Sequence[RetrievalExample],
    on_done: Callable[[int], object] = lambda num: None,  # noqa: ARG005
) -> dict[str, float]:
    """Retrieve premises for all examples and return `metrics` of them.

    Args:
        retriever: The retriever to measure.
        examples: The examples of one split.
        on_done: Called with the number of examples of each finished chunk.

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
    """`recall_at_1`, `recall_at_10`, `mrr` and `num_steps`, the number of examples they are averaged over.

    Args:
        ranks: For each example, the numbers of the retrieved premises, best first.
        examples: The examples.
    """
    rows = [_relevance(ranked, example) for ranked, example in zip(ranks, examples, strict=True)]
    scores = [torch.arange(len(row), 0, -1, dtype=torch.float) for row in rows]
    pairs = list(zip(scores, rows, strict=True))
    return {
        "recall_at_1": fmean(float(retrieval_recall(*pair, top_k=1)) for pair in pairs),
        "recall_at_10": fmean(float(retrieval_recall(*pair, top_k=10)) for pair in pairs),
        "mrr": fmean(float(retrieval_reciprocal_rank(*pair, top_k=NUM_RANKED)) for pair in pairs),
        "num_steps": len(examples),
    }


def _relevance(ranked: Sequence[int], example: RetrievalExample) -> torch.Tensor:
    """Whether the premise at each rank is used.

    Used premises that were not retrieved follow after the last rank that any metric looks at, since recall
    divides by their number too.
    """
    used = set(example.used)
    found = [number in used for number in ranked[:NUM_RANKED]]
    padding = [False] * (NUM_RANKED - len(found))
    return torch.tensor([*found, *padding, *[True] * (len(used) - sum(found))])
