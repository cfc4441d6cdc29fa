"""The file format of a LeanDojo Benchmark (Yang et al. 2023, LeanDojo), for Lean 3 and Lean 4.

    corpus.jsonl                                      one CorpusFile per line: the premises of every file
    {random,novel_premises}/{train,val,test}.json     an array of TracedTheorem for each split, in two kinds
    metadata.json                                     origin of the data; optional

Keys that are not needed here are ignored. Positions are lines and columns, counted from 1.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from ntp.envs.lean.positions import MAX_COLUMN, pack_position
from ntp.errors import DataError
from ntp.types import Span

CORPUS = "corpus.jsonl"

Position = tuple[int, int]
T = TypeVar("T")


class Provenance(msgspec.Struct, frozen=True, gc=False):
    """A premise named in a tactic, and the place of its definition."""

    full_name: str
    def_path: str
    def_pos: Position | None = None
    def_end_pos: Position | None = None


class TracedTactic(msgspec.Struct, frozen=True, gc=False):
    """A tactic with all goals before and after it, printed; `annotated_tactic` marks the premises' names."""

    tactic: str
    state_before: str
    state_after: str
    annotated_tactic: tuple[str, tuple[Provenance, ...]] = ("", ())


class TheoremPlace(msgspec.Struct, frozen=True, gc=False):
    """The identity of a theorem. The rest of a theorem is read only when it is needed."""

    file_path: str
    full_name: str
    start: Position
    end: Position
    url: str = ""
    commit: str = ""


class TracedTheorem(TheoremPlace, frozen=True, gc=False):
    """A theorem with the tactics of its proof. There may be none, and they need not form a complete proof."""

    traced_tactics: tuple[TracedTactic, ...] = ()


class CorpusPremise(msgspec.Struct, frozen=True, gc=False):
    """A definition or theorem; its code ends before the proof."""

    full_name: str | None
    code: str
    start: Position
    end: Position
    kind: str = ""


class CorpusFile(msgspec.Struct, frozen=True, gc=False):
    """A source file with its imports, given as paths."""

    path: str
    imports: tuple[str, ...]
    premises: tuple[CorpusPremise, ...]


def read_bytes(path: Path) -> bytes:
    """The content of a file of the benchmark.

    Raises:
        DataError: It cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}): set data.path to the folder of a LeanDojo Benchmark"
        ) from None


def decode(content: bytes | msgspec.Raw, decoder: msgspec.json.Decoder[T], where: str) -> T:
    """The decoded value of some JSON.

    Raises:
        DataError: It is not JSON, is truncated, or lacks a field; the message begins with `where`.
    """
    try:
        return decoder.decode(content)
    except msgspec.ValidationError as error:
        raise DataError(f"{where}: does not have the format of a LeanDojo Benchmark: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{where}: not valid JSON ({error}): the file is damaged, fetch it again") from None


def packed_span(start: Position, end: Position, where: str) -> Span:
    """A span of packed positions.

    Raises:
        DataError: A position is invalid, or `end` is before `start`; the message begins with `where`.
    """
    for line, column in (start, end):
        if line < 1 or not 1 <= column <= MAX_COLUMN:
            raise DataError(
                f"{where}: position {line}:{column} is outside its file; line and column count from 1"
            )
    if tuple(end) < tuple(start):
        raise DataError(f"{where}: ends at {end[0]}:{end[1]}, before its start at {start[0]}:{start[1]}")
    return Span(pack_position(*start), pack_position(*end))
