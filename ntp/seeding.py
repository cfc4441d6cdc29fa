"""Seeds derived from names, so that random numbers do not depend on the order in which they are used."""

from __future__ import annotations

import random
from collections.abc import Mapping
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")


def derive_seed(*parts: int | str) -> int:
    """A seed in `[0, 2**63)` that is a pure function of `parts`.

    Streams for different parts are independent for all practical purposes, so a run that is resumed,
    reordered or batched differently uses the same random numbers without saving any generator state.
    """
    digest = blake2b("\x1f".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def weighted_sample(weights: Mapping[T, float], num: int, draw: random.Random) -> list[T]:
    """Up to `num` different items, each drawn in proportion to the weights of those that are left.

    Those with the largest U^(1/w) are such a sample (Efraimidis and Spirakis 2006).

    Args:
        weights: The weight of each item, positive.
        num: Number of items.
        draw: The source of randomness.
    """
    keys = {item: draw.random() ** (1 / weight) for item, weight in weights.items()}
    return sorted(keys, key=lambda item: -keys[item])[:num]
