"""Draws whole files for a split until they contain about the wanted number of theorems."""

from __future__ import annotations

import random
from collections.abc import Sequence
from fnmatch import fnmatchcase

# Maximum share of the wanted theorems of a split that may come from one file.
_MAX_SHARE = 1 / 2


def draw_parts(
    sizes: dict[str, int],
    seed: int,
    val_fraction: float,
    test_fraction: float,
    verifier_fraction: float,
    test_files: Sequence[str],
) -> tuple[set[str], set[str], set[str]]:
    """Draw the files of the test, the val and the verifier split, in this order.

    Args:
        sizes: Number of theorems in each file.
        seed: Seed of the order in which files are considered.
        val_fraction: Wanted share of all theorems.
        test_fraction: Wanted share of all theorems; not used if `test_files` is given.
        verifier_fraction: Wanted share of all theorems.
        test_files: Globs of the files of the test split; empty to draw them.
    """
    order = sorted(sizes)
    random.Random(seed).shuffle(order)
    total = sum(sizes.values())
    if test_files:
        test = {file for file in order if any(fnmatchcase(file, glob) for glob in test_files)}
    else:
        num_kept = 1 + (val_fraction > 0) + (verifier_fraction > 0)
        test = _draw(order, sizes, test_fraction * total, num_kept)
    rest = [file for file in order if file not in test]
    val = _draw(rest, sizes, val_fraction * total, num_kept=1 + (verifier_fraction > 0))
    rest = [file for file in rest if file not in val]
    return test, val, _draw(rest, sizes, verifier_fraction * total, num_kept=1)


def draw_files(sizes: dict[str, int], seed: int, target: float) -> set[str]:
    """Draw files with about `target` theorems, but not all files.

    Args:
        sizes: Number of theorems in each file.
        seed: Seed of the order in which files are considered.
        target: Wanted number of theorems.
    """
    order = sorted(sizes)
    random.Random(seed).shuffle(order)
    return _draw(order, sizes, target, num_kept=1)


def _draw(order: Sequence[str], sizes: dict[str, int], target: float, num_kept: int) -> set[str]:
    """Take files in order, each if it brings the size nearer to the target; at least one if target > 0.

    A file with more than `_MAX_SHARE` of the target is skipped, since a split of one big file would be a
    sample of size one. `num_kept` files are left for the other splits.
    """
    drawn: set[str] = set()
    size = 0
    for file in order:
        if sizes[file] > _MAX_SHARE * target:
            continue
        if len(order) - len(drawn) > num_kept and abs(size + sizes[file] - target) < abs(size - target):
            drawn.add(file)
            size += sizes[file]
    if target > 0 and order and not drawn:
        drawn.add(min(order, key=lambda file: sizes[file]))
    return drawn
