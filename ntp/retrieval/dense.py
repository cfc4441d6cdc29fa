"""Retrieval by nearest vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ntp.errors import DataError
from ntp.retrieval.base import Retrieved
from ntp.retrieval.cache import cached_directory
from ntp.retrieval.corpus import PremiseCorpus
from ntp.retrieval.dual_encoder import DualEncoder, encode_all
from ntp.retrieval.index import VectorIndex
from ntp.types import Theorem

_VECTORS = "vectors.npy"


class DenseRetriever:
    """The nearest premises by cosine, with the vectors of a dual encoder.

    Args:
        encoder: The encoder, in evaluation mode.
        corpus: The premises.
        vector_MD: Their vectors from this encoder.
        batch_size: States encoded at once.
    """

    def __init__(
        self,
        encoder: DualEncoder,
        corpus: PremiseCorpus,
        vector_MD: NDArray[np.float32],
        batch_size: int,
    ) -> None:
        self._encoder = encoder
        self._corpus = corpus
        self._index = VectorIndex(vector_MD)
        self._batch_size = batch_size

    def retrieve(self, states: Sequence[str], theorems: Sequence[Theorem], num: int) -> list[list[Retrieved]]:
        """The nearest accessible premises; see `Retriever`."""
        if not states:
            return []
        query_ND = encode_all(self._encoder.encode_states, states, self._batch_size)
        rows: dict[Theorem, list[int]] = {}
        for row, theorem in enumerate(theorems):
            rows.setdefault(theorem, []).append(row)
        found: list[list[Retrieved]] = [[] for _ in states]
        for theorem, of_theorem in rows.items():
            nearest = self._index.search(query_ND[of_theorem], self._corpus.mask(theorem), num)
            for row, hits in zip(of_theorem, nearest, strict=True):
                found[row] = [Retrieved(self._corpus.premises[n], n, score) for n, score in hits]
        return found


def premise_vectors(
    encoder: DualEncoder,
    corpus: PremiseCorpus,
    cache: Path,
    batch_size: int,
    on_encoded: Callable[[int], object] = lambda num: None,  # noqa: ARG005
) -> NDArray[np.float32]:
    """The vectors of a corpus from an encoder, computed once and cached.

    The directory's name contains hashes of the documents and of the encoder, so that a changed data set or a
    trained encoder does not find old vectors.

    Args:
        encoder: The encoder, in evaluation mode.
        corpus: M premises.
        cache: Directory of cached indices.
        batch_size: Premises encoded at once.
        on_encoded: Called with the number of newly encoded premises.

    Returns:
        Vectors by index, (M, D).

    Raises:
        DataError: They cannot be written or read back.
    """

    def fill(directory: Path) -> None:
        vectors = encode_all(encoder.encode_premises, corpus.documents, batch_size, on_encoded)
        np.save(directory / _VECTORS, vectors)

    wanted = cache / f"dense-{corpus.key}-{encoder.fingerprint()}"
    if wanted.is_dir():
        on_encoded(len(corpus))
    directory = cached_directory(wanted, fill)
    try:
        vectors = np.load(directory / _VECTORS)
    except (OSError, ValueError) as error:
        raise DataError(f"{directory} is corrupt ({error}); delete it to index the premises again") from None
    return vectors
