"""Files of statements to compare and of judgements, one record a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ntp.errors import DataError
from ntp.formalization.equivalence.outcome import Judgement


class Compared(msgspec.Struct, frozen=True):
    """A candidate and the reference that it is compared with; only these two must be given.

    Attributes:
        reference: The right statement.
        candidate: What a model wrote, say.
        header: Text before both.
        id: Name in results; the line's number without.
        kind: Any grouping of the results.
        label: `equivalent` or `different`, where that is known; empty otherwise.
    """

    reference: str
    candidate: str
    header: str = ""
    id: str = ""
    kind: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class JudgedPair:
    """What was found for one line.

    Attributes:
        id: Its id.
        kind: Its kind.
        label: Its label.
        judgement: The outcome; None if the header or the reference is broken.
        error: Why there is no outcome, in one line; else empty.
    """

    id: str
    kind: str
    label: str
    judgement: Judgement | None
    error: str = ""


def read_compared(path: Path) -> list[Compared]:
    """Read pairs, from a file that may have further fields.

    Raises:
        DataError: The file is missing or empty, a line is no pair, or an id stands twice.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}): set data.path to a file") from None
    pairs: list[Compared] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            pair = msgspec.json.decode(line, type=Compared)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise DataError(f"{path}:{number}: not a pair: {error}") from None
        if not pair.reference.strip():
            raise DataError(f"{path}:{number}: the reference is empty")
        pair = msgspec.structs.replace(pair, id=pair.id or f"line {number}")
        if pair.id in seen:
            raise DataError(f"{path}:{number}: the id {pair.id!r} stands in line {seen[pair.id]} too")
        seen[pair.id] = number
        pairs.append(pair)
    if not pairs:
        raise DataError(f"{path}: holds no pair")
    return pairs


def grouped(pairs: Sequence[Compared]) -> list[list[Compared]]:
    """Pairs that are judged together: those of one header and reference, in order of first occurrence."""
    groups: dict[tuple[str, str], list[Compared]] = {}
    for pair in pairs:
        groups.setdefault((pair.header, pair.reference), []).append(pair)
    # One header after another: a prover that has it loaded is kept.
    headers = {header: index for index, header in enumerate(dict.fromkeys(h for h, _ in groups))}
    return [groups[key] for key in sorted(groups, key=lambda key: headers[key[0]])]
