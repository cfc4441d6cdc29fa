"""Imports of large packages."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lasting() -> Iterator[None]:
    """Within this, import what stays: the garbage collector looks at none of it, neither now nor later.

    Torch, Lightning and MLflow are made of a million objects. Looking at them again and again while they
    come, and once more when the process ends, takes almost as long as making them.
    """
    gc.collect()  # what is left of earlier work must not stay with them
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
