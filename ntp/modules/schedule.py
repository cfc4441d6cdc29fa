"""Learning-rate schedules."""

from __future__ import annotations

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

FINAL_FRACTION = 0.1


def warmup_then_cosine(optimizer: Optimizer, warmup_steps: int, decay_steps: int) -> LambdaLR:
    """Linear warm-up, then a cosine down to a tenth of the rate at `decay_steps`, constant from there.

    Args:
        optimizer: Whose rates are scaled, every parameter group alike.
        warmup_steps: Steps until the full rate.
        decay_steps: Step at which the cosine ends, counted from the start; 0 keeps the full rate.
    """

    def scale(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / warmup_steps
        if decay_steps <= warmup_steps:
            return 1.0
        progress = min(1.0, (step - warmup_steps) / (decay_steps - warmup_steps))
        return FINAL_FRACTION + (1 - FINAL_FRACTION) * 0.5 * (1 + math.cos(math.pi * progress))

    return LambdaLR(optimizer, scale)
