"""The best of many scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def best(score_M: NDArray[np.floating], mask_M: NDArray[np.bool_], num: int) -> NDArray[np.intp]:
    """Indices of the `num` highest scores where `mask_M` holds, best first, equal ones in order of index.

    Args:
        score_M: M scores.
        mask_M: M flags.
        num: How many are wanted; fewer come back where fewer flags are set.
    """
    allowed = np.flatnonzero(mask_M)
    score = score_M[allowed]
    if 0 < num < len(score):
        # All that reach the last place, since of equal scores the first shall win.
        threshold = np.partition(score, len(score) - num)[len(score) - num]
        allowed, score = allowed[score >= threshold], score[score >= threshold]
    return allowed[np.argsort(-score, kind="stable")[:num]]
