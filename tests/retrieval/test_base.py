import numpy as np
import pytest

from ntp.retrieval.base import best


@pytest.mark.parametrize("seed", range(20))
def test_the_best_are_those_of_a_full_sort(seed):
    rng = np.random.default_rng(seed)
    score = rng.integers(0, 6, size=40).astype(np.float32)  # few values: most are equal to others
    mask = rng.random(40) < 0.6
    wanted = sorted(np.flatnonzero(mask).tolist(), key=lambda i: (-score[i], i))
    for num in (0, 1, 5, 39, 100):
        assert best(score, mask, num).tolist() == wanted[:num]
