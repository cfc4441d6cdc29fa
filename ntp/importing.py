"""Imports of large packages."""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from types import ModuleType


def import_to_stay(name: str) -> ModuleType:
    """Import a module with all it needs; the garbage collector looks at none of that, neither now nor later.

    Torch, Lightning and MLflow are made of a million objects. Looking at them again and again while they
    come, and once more when the process ends, takes almost as long as making them.
    """
    if name in sys.modules:
        return sys.modules[name]
    gc.collect()  # what is left of earlier work must not stay with them
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()
        gc.enable()
