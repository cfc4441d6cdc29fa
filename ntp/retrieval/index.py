"""Exact search among vectors, restricted to some of them."""

from __future__ import annotations

import faiss
import numpy as np
from numpy.typing import NDArray


class VectorIndex:
    """Inner-product search over premise vectors (faiss `IndexFlatIP`, exact).

    Args:
        vector_MD: M vectors, by number.
    """

    def __init__(self, vector_MD: NDArray[np.float32]) -> None:
        self._index = faiss.IndexFlatIP(vector_MD.shape[1])
        self._index.add(np.ascontiguousarray(vector_MD))  # pyright: ignore[reportCallIssue]

    def __len__(self) -> int:
        return self._index.ntotal

    def search(
        self, query_ND: NDArray[np.float32], mask_M: NDArray[np.bool_], num: int
    ) -> list[list[tuple[int, float]]]:
        """For each query the `num` nearest vectors among those allowed, nearest first.

        Args:
            query_ND: N queries.
            mask_M: Which vectors are allowed, for all queries alike.
            num: How many are wanted; fewer come back where fewer are allowed.

        Returns:
            Numbers with inner products.
        """
        num = min(num, int(mask_M.sum()))
        if num == 0:
            return [[] for _ in query_ND]
        # faiss wraps its classes in a way that its stubs do not know.
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
