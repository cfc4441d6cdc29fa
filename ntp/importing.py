"""Imports of large packages."""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from types import ModuleType


def import_to_stay(name: str) -> ModuleType:
    """Import a module, and exclude everything that it loads from garbage collection.

    Torch, Lightning and MLflow create a million objects. Scanning them repeatedly during the import, and once
    more when the process ends, takes almost as long as creating them.
    """
    if name in sys.modules:
        return sys.modules[name]
    gc.collect()  # garbage of earlier work must not be excluded with them
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()
        gc.enable()
