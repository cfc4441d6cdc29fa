"""Draws whole files, until they hold about as many theorems as a split of a split should."""

from __future__ import annotations

import random
from collections.abc import Sequence
from fnmatch import fnmatchcase

# Of the theorems of an evaluation split that may come from one file.
_MAX_SHARE = 1 / 2


def draw_parts(
    sizes: dict[str, int],
    seed: int,
    val_fraction: float,
    test_fraction: float,
    verifier_fraction: float,
    test_files: Sequence[str],
) -> tuple[set[str], set[str], set[str]]:
    """Files of the test, the validation and the verifier split, drawn in this order.

    Args:
        sizes: Theorems in each file.
        seed: Of the order.
        val_fraction: Wanted share of the theorems.
        test_fraction: The same; not used when `test_files` is given.
        verifier_fraction: The same.
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
    """Files that hold about `target` theorems, in a random order; one at least stays behind.

    Args:
        sizes: Theorems in each file.
        seed: Of the order.
        target: Wanted number of theorems.
    """
    order = sorted(sizes)
    random.Random(seed).shuffle(order)
    return _draw(order, sizes, target, num_kept=1)


def _draw(order: Sequence[str], sizes: dict[str, int], target: float, num_kept: int) -> set[str]:
    """Files in order, each if it takes the split nearer to the target; at least one if there is a target.

    A file of more than `_MAX_SHARE` of the target is passed over, since a split made of one big file would be
    a sample of size one. `num_kept` files stay for the other splits.
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
