"""What each theorem costs, when many are searched at once and share every second.

How long a theorem was open says little: in lock step all wait for the slowest. So the seconds of each phase
of a round are charged to the theorems in it: those of the provers in proportion to how long each theorem's
prover was busy, those of the models in proportion to the text read and written for it. The charges add up
to the whole time.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from ntp.search.base import Usage


class Charges:
    """Charges searches with the time since the last charge, the first with that since it was made."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def charge(self, weights: Sequence[tuple[Usage, float]]) -> None:
        """Share the time since then out.

        Args:
            weights: What the searches have spent, to be added to, each with its weight, not negative. Nothing
                is charged, and the time is kept for the next charge, if there are none.
        """
        if not weights:
            return
        now = time.perf_counter()
        seconds, self._last = now - self._last, now
        total = sum(weight for _, weight in weights)
        for usage, weight in weights:
            usage.cost_s += seconds * (weight / total if total > 0 else 1 / len(weights))
