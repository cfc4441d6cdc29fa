"""How good retrieved premises are, as ReProver measures it (`retrieval/model.py` of lean-dojo/ReProver).

Over the steps of recorded proofs whose tactic names at least one accessible premise (`RetrievalExample`):

    recall_at_k  |the k best retrieved ∩ premises used| / |premises used|, averaged over steps.
    mrr          1 / rank of the first premise used among the 100 best, 0 where it is not there, averaged over
                 steps.

A premise is itself if full name and file agree. Every step counts once, however many steps a theorem has and
however many premises it uses. ReProver reports the same numbers times 100.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torchmetrics.retrieval import RetrievalMRR, RetrievalRecall

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
    """`recall_at_1`, `recall_at_10` and `mrr` of a retriever, and `num_steps` that they are averaged over.

    Args:
        retriever: What is measured.
        examples: Those of a part of the split.
        on_done: Called with the number of further examples that are done.

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
    collection = {
        "recall_at_1": RetrievalRecall(top_k=1),
        "recall_at_10": RetrievalRecall(top_k=10),
        "mrr": RetrievalMRR(top_k=NUM_RANKED),
    }
    scores, targets, queries = [], [], []
    for query, (ranked, example) in enumerate(zip(ranks, examples, strict=True)):
        used = set(example.used)
        found = [number in used for number in ranked[:NUM_RANKED]]
        # Premises that were not found are ranked behind the last place that any metric looks at.
        missing = len(used) - sum(found)
        row = [*found, *[False] * (NUM_RANKED - len(found)), *[True] * missing]
        targets += row
        scores += [1 / rank for rank in range(1, len(row) + 1)]  # torchmetrics counts scores above 0 only
        queries += [query] * len(row)
    for metric in collection.values():
        metric.update(torch.tensor(scores), torch.tensor(targets), torch.tensor(queries))
    values = {name: float(metric.compute()) for name, metric in collection.items()}
    return values | {"num_steps": len(examples)}
