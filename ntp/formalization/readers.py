"""Reads pairs from files and data sets that others publish.

A row is an object with an informal and a formal statement under any of the names below: ProofNet for Lean 3
and 4, miniF2F for Lean 4 and for Rocq, TRL's prompt and completion, data sets on the Hugging Face Hub. A file
that `write_pairs` wrote is read as it is.
"""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ntp.errors import DataError
from ntp.formalization.declarations import LEAN3, PROVERS, cut_statement, prover_of
from ntp.formalization.records import NO_HEADER, NOT_GIVEN, TEST, TRAIN, VALID, Pair, load_pairs
from ntp.jsonl import VERSION_KEY

_log = logging.getLogger(__name__)

# Names of the columns in what is published, the first that a row has.
COLUMNS = {
    "informal": (
        *("informal", "nl_statement", "informal_statement", "informal_prefix", "informal statement"),
        *("generated informal statement", "natural_language", "prompt"),
    ),
    "formal": ("formal", "formal_statement", "statement", "formal statement", "lean4_code", "completion"),
    "header": ("header", "src_header"),
    "id": ("id", "name"),
    "split": ("split",),
    "topic": ("topic", "textbook", "source", "category"),
}
_SPLITS = {
    TRAIN: TRAIN,
    VALID: VALID,
    TEST: TEST,
    "val": VALID,
    "validation": VALID,
    "dev": VALID,
}
# `/-- ... -/`, as miniF2F and ProofNet for Lean 4 give their informal statements.
_DOCSTRING = re.compile(r"\A\s*/--(.*)-/\s*\Z", re.DOTALL)
_TOPICS = re.compile(r"(mathd_algebra|mathd_numbertheory|amc|aime|imo|induction|algebra|numbertheory)")


@dataclass(frozen=True)
class Reading:
    """How foreign rows are read.

    Attributes:
        prover: The prover that they are for; None to see it from each statement.
        split: The part of all rows; None for their own, or that in the name of their file.
        header: What stands before statements without a header of their own.
        columns: Names of columns in place of those known: `informal`, `formal`, `header`, `id`, `split` and
            `topic` to a name.
    """

    prover: str | None = NOT_GIVEN
    split: str | None = NOT_GIVEN
    header: str = NO_HEADER
    columns: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        """Raise `DataError` for a prover, a split or a column that there is none of."""
        _require("prover", self.prover, PROVERS)
        _require("split", self.split, _SPLITS)
        for name in self.columns or {}:
            _require("columns", name, COLUMNS)


def read_pairs(path: Path, reading: Reading | None = None) -> list[Pair]:
    """Read a JSON Lines file.

    Rows without an informal or a formal statement, and repetitions of both, are left out with a warning; of
    several rows with one id all after the first get a number.

    Raises:
        DataError: The file is missing, not UTF-8 or holds no pair; or a line is no object, lacks a column,
            is of an unknown prover or split, or states nothing.
    """
    reading = reading or Reading()
    if _is_own(path):
        return load_pairs(path)
    rows = ((f"{path}:{number}", row) for number, row in _rows(path))
    return pairs_of(rows, reading, path.parent.name or path.stem, _split_in(path.stem), str(path))


def pairs_of(
    rows: Iterable[tuple[str, Mapping[str, Any]]],
    reading: Reading,
    source: str,
    split: str,
    where: str,
) -> list[Pair]:
    """The pairs of rows.

    Args:
        rows: Where each row is, for messages, and the row.
        reading: How they are read.
        source: Name of the data set.
        split: Part of rows that name none.
        where: The whole, for messages.

    Raises:
        DataError: As for `read_pairs`.
    """
    pairs: dict[tuple[str, str], Pair] = {}
    left_out: Counter[str] = Counter()
    num_of_id: Counter[str] = Counter()
    for place, row in rows:
        pair = _pair(row, reading, source, split, place)
        if pair is None:
            left_out["empty"] += 1
        elif (pair.informal, pair.formal) in pairs:
            left_out["repeated"] += 1
        else:
            given = pair.id or f"{source}_{len(pairs)}"
            num_of_id[given] += 1
            own = given if num_of_id[given] == 1 else f"{given}#{num_of_id[given]}"
            pairs[pair.informal, pair.formal] = replace(pair, id=own)
    if not pairs:
        raise DataError(f"{where}: holds no pair of an informal and a formal statement")
    for reason, number in left_out.items():
        _log.warning("%s: %d rows are left out: %s", where, number, reason)
    return list(pairs.values())


def _pair(row: Mapping[str, Any], reading: Reading, source: str, split: str, place: str) -> Pair | None:
    """The pair of a row, with an empty id if it has none; None if one of its statements is empty."""
    values = {column: _value(row, column, reading, place) for column in COLUMNS}
    informal, formal, header = values["informal"], values["formal"], values["header"] or reading.header
    if not informal.strip() or not formal.strip():
        return None
    docstring = _DOCSTRING.match(informal)
    prover = reading.prover or (LEAN3 if "src_header" in row else prover_of(formal, header))
    if prover is None:
        raise DataError(f"{place}: it cannot be seen what prover it is for: give data.prover")
    try:
        preamble, statement = cut_statement(formal, prover)
    except DataError as error:
        raise DataError(f"{place}: {error}") from None
    part = reading.split or values["split"] or split
    if part not in _SPLITS:
        raise DataError(f"{place}: unknown split {part!r}: use one of {', '.join(_SPLITS)}")
    return Pair(
        id=values["id"],
        informal=(docstring[1] if docstring else informal).strip(),
        formal=statement,
        header="\n".join(filter(None, (header.strip(), preamble))),
        prover=prover,
        split=_SPLITS[part],
        source=source,
        topic=values["topic"] or _topic(values["id"]),
    )


def _value(row: Mapping[str, Any], column: str, reading: Reading, place: str) -> str:
    """A column of a row as text; empty if it has none and needs none."""
    chosen = (reading.columns or {}).get(column)
    names = COLUMNS[column] if chosen is None else (chosen,)
    name = next((name for name in names if name in row), None)
    if name is None:
        if chosen is not None or column in ("informal", "formal"):
            raise DataError(
                f"{place}: no column {' or '.join(names)} but {', '.join(map(str, row))}: "
                f"give data.columns.{column}"
            )
        return ""
    value = row[name]
    if value is None:
        return ""
    if not isinstance(value, str | int):
        raise DataError(f"{place}: {name} is a {type(value).__name__}, not a text")
    return str(value)


def _topic(name: str) -> str | None:
    """The textbook in an id of ProofNet for Lean 3, the competition or field in one of miniF2F."""
    if "|" in name:
        return name.partition("|")[0]
    found = _TOPICS.match(name)
    return found[1] if found else None


def _split_in(stem: str) -> str:
    """The part that the name of a file says, as `lean3_valid`; `test` without."""
    words = re.split(r"[^a-z]+", stem.lower())
    return next((_SPLITS[word] for word in words if word in _SPLITS), TEST)


def _is_own(path: Path) -> bool:
    _, row = next(_rows(path), (0, {}))
    return VERSION_KEY in row


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    number = 0
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    row = json.loads(line.decode("utf-8-sig"))
                    if not isinstance(row, dict):
                        raise ValueError("not a JSON object")
                    yield number, row
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}): set data.path to a file") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}:{number}: not UTF-8; the file is corrupt, make it again") from None
    except ValueError as error:
        raise DataError(f"{path}:{number}: not valid JSON ({error}); the file is corrupt") from None


def _require(name: str, value: str | None, allowed: Iterable[str]) -> None:
    if value is not None and value not in allowed:
        raise DataError(f"data.{name}={value} is unknown: choose one of {', '.join(allowed)}")
