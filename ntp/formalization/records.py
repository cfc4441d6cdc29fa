"""Pairs of an informal statement and its formalization, one schema for every source."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ntp.errors import DataError
from ntp.jsonl import read_jsonl, write_jsonl

TRAIN = "train"
VALID = "valid"
TEST = "test"
# What the rows of a file say themselves is not given for all of them.
NOT_GIVEN = None
NO_HEADER = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """An informal statement and a formal one that says the same.

    Attributes:
        id: Unique within a file of pairs.
        informal: What a reader is told, as text, LaTeX or a documentation comment.
        formal: One declaration without a proof: for Coq `Theorem name : ... .` with its full stop, for Lean
            what stands before `:=`.
        header: What the statement needs before it: imports, opened scopes, definitions.
        prover: `coq`, `lean` or `lean3`.
        split: `train`, `valid` or `test`.
        source: Data set or library that it is from.
        topic: Textbook, competition or file; None if unknown.
    """

    id: str
    informal: str
    formal: str
    header: str
    prover: str
    split: str
    source: str
    topic: str | None = None


def load_pairs(path: Path) -> list[Pair]:
    """The pairs of a file that `write_pairs` wrote.

    Raises:
        DataError: The file is missing or has no pair, a line is none, a statement is empty, or an id stands
            twice.
    """
    pairs: list[Pair] = []
    lines: dict[str, int] = {}
    for number, pair in enumerate(read_jsonl(path, Pair), start=1):
        empty = next((name for name in ("id", "informal", "formal") if not getattr(pair, name).strip()), None)
        if empty:
            raise DataError(f"{path}:{number}: {empty} is empty")
        if pair.id in lines:
            raise DataError(f"{path}:{number}: the id {pair.id!r} stands in line {lines[pair.id]} too")
        lines[pair.id] = number
        pairs.append(pair)
    if not pairs:
        raise DataError(f"{path}: holds no pair")
    return pairs


def write_pairs(path: Path, pairs: Iterable[Pair]) -> int:
    """Write pairs, replacing the file only when all of them are on disk, and return their number.

    Raises:
        DataError: The directory cannot be written.
    """
    return write_jsonl(path, pairs)
