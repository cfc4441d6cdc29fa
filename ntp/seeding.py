"""Seeds derived from names, so that random numbers do not depend on the order in which they are used."""

from __future__ import annotations

from hashlib import blake2b


def derive_seed(*parts: int | str) -> int:
    """A seed in `[0, 2**63)` that is a pure function of `parts`.

    Streams for different parts are independent for all practical purposes, so a run that is resumed,
    reordered or batched differently uses the same random numbers without saving any generator state.
    """
    digest = blake2b("\x1f".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
