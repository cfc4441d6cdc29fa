import numpy as np
import pytest

from ntp.retrieval.index import VectorIndex


@pytest.mark.parametrize("seed", range(10))
def test_search_is_exact_among_what_is_allowed(seed):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(203, 17)).astype(np.float32)
    queries = rng.normal(size=(5, 17)).astype(np.float32)
    mask = rng.random(203) < rng.choice([0.02, 0.3, 1.0])
    mask[seed] = True
    index = VectorIndex(vectors)
    assert len(index) == 203
    for num in (1, 10, 300):
        for query, found in zip(queries, index.search(queries, mask, num), strict=True):
            scores = vectors @ query
            wanted = sorted(np.flatnonzero(mask).tolist(), key=lambda i: -scores[i])[:num]
            assert [number for number, _ in found] == wanted
            assert [score for _, score in found] == pytest.approx(scores[wanted].tolist(), abs=1e-4)


def test_nothing_is_found_where_nothing_is_allowed():
    index = VectorIndex(np.eye(3, dtype=np.float32))
    assert index.search(np.eye(3, dtype=np.float32)[:2], np.zeros(3, dtype=bool), 2) == [[], []]
