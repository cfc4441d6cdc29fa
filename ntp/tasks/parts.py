"""Long work on theorems in parts, each kept as soon as it is done: what a kill can lose is one part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ntp.types import Theorem

# Provers wait for the slowest theorem of a part, so parts are many times as long as there are provers.
_PART_SIZE = 96


@dataclass(frozen=True, slots=True)
class Part:
    """Some neighbouring theorems, and the file that is there once they are done."""

    path: Path
    theorems: Sequence[Theorem]


def parts_of(directory: Path, name: str, theorems: Sequence[Theorem]) -> list[Part]:
    """The parts of a piece of work, in order."""
    return [
        Part(directory / "parts" / f"{name}-{begin:06d}.jsonl", theorems[begin : begin + _PART_SIZE])
        for begin in range(0, len(theorems), _PART_SIZE)
    ]


def num_done(parts: Sequence[Part]) -> int:
    """Number of theorems in the parts that are done."""
    return sum(len(part.theorems) for part in parts if part.path.exists())
