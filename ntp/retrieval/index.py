"""Exact nearest-neighbour search, restricted to a subset of the vectors."""

from __future__ import annotations

import faiss
import numpy as np
from numpy.typing import NDArray


class VectorIndex:
    """Inner-product search over premise vectors (faiss `IndexFlatIP`, exact).

    Args:
        vector_MD: M vectors, by index.
    """

    def __init__(self, vector_MD: NDArray[np.float32]) -> None:
        self._index = faiss.IndexFlatIP(vector_MD.shape[1])
        self._index.add(np.ascontiguousarray(vector_MD))  # pyright: ignore[reportCallIssue]

    def __len__(self) -> int:
        return self._index.ntotal

    def search(
        self, query_ND: NDArray[np.float32], mask_M: NDArray[np.bool_], num: int
    ) -> list[list[tuple[int, float]]]:
        """For each query the `num` nearest of the allowed vectors, nearest first.

        Args:
            query_ND: N queries.
            mask_M: Which vectors are allowed, for all queries.
            num: Maximum number of results; fewer are returned if fewer vectors are allowed.

        Returns:
            Pairs of index and inner product.
        """
        num = min(num, int(mask_M.sum()))
        if num == 0:
            return [[] for _ in query_ND]
        # faiss wraps its classes in a way that its type stubs do not describe.
        bits = np.packbits(mask_M, bitorder="little")
        allowed = faiss.IDSelectorBitmap(bits)  # pyright: ignore[reportCallIssue]
        only = faiss.SearchParameters(sel=allowed)  # pyright: ignore[reportCallIssue]
        score_NK, number_NK = self._index.search(  # pyright: ignore[reportCallIssue]
            np.ascontiguousarray(query_ND), num, params=only
        )
        return [
            list(zip(map(int, numbers), map(float, scores), strict=True))
            for numbers, scores in zip(number_NK, score_NK, strict=True)
        ]
