"""Options of retrieval, apart from the retrievers so that a config is read without their libraries."""

from __future__ import annotations

from dataclasses import dataclass, field

from omegaconf import MISSING

from ntp.bounds import PositiveFloat, PositiveInt, Share


@dataclass(frozen=True)
class RetrievalOptions:
    """Premises that are put in front of states.

    Attributes:
        name: Which retriever: `none`, `bm25` or `dense`.
        num_premises: Premises retrieved for a state.
        max_bytes: Longest state with premises in front of it, in bytes.
        k1: BM25's saturation of term frequency.
        b: BM25's normalisation by length.
        checkpoint: Output directory of a training run of the dense retriever.
        experiment: What trains it where there is no checkpoint.
        overrides: Overrides of that experiment.
        name_or_path: A pretrained dual encoder that is used as it is, in place of both.
        batch_size: Texts encoded at once.
        corpus: Folder of a LeanDojo Benchmark whose premises are used for data that has none.
    """

    name: str = MISSING
    num_premises: PositiveInt = 100
    max_bytes: PositiveInt = 2048
    k1: PositiveFloat = 2.5
    b: Share = 1.0
    checkpoint: str | None = None
    experiment: str | None = "retriever"
    overrides: list[str] = field(default_factory=list)
    name_or_path: str | None = None
    batch_size: PositiveInt = 64
    corpus: str | None = None
