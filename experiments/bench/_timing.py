"""Fair timing of alternatives, shared by the benchmarks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median


def interleaved_medians(runs: Mapping[str, Callable[[], object]], num_rounds: int) -> dict[str, float]:
    """Median seconds of each run, after one warm-up, all of them taking turns.

    Taking turns spreads the noise of a busy machine evenly over what is compared.
    """
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for round_index in range(num_rounds + 1):
        for name, run in runs.items():
            started = time.perf_counter()
            run()
            if round_index:
                seconds[name].append(time.perf_counter() - started)
    return {name: median(values) for name, values in seconds.items()}
