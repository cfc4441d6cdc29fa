"""Reads lists of Lean statements without proofs: miniF2F, ProofNet, or your own.

A file whose name ends in `.jsonl` has one object per line. Its fields are `name`, `formal_statement`,
`header` and `split` (`valid` or `test`) as in the Lean 4 versions of miniF2F and ProofNet, or `id`,
`formal_statement` and `src_header` as in ProofNet for Lean 3. Any other file has one statement per line: a
declaration, or a proposition, which gets a name. Blank lines and lines that begin with `--` are ignored.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ntp.data.records import TheoremRecord
from ntp.errors import DataError
from ntp.types import Span, Theorem

SPLITS = {"": "test", "train": "train", "valid": "val", "val": "val", "test": "test"}
NOWHERE = Span(0, 0)

_DECLARATION = re.compile(r"\b(theorem|lemma|def|abbrev|instance|example)\b\s*([^\s:({\[⦃]*)")
_PROOF = re.compile(r"\s*:=\s*(by\b\s*)?(sorry\s*)?$")
_MODIFIERS = re.compile(r"\s*(@\[[^\]]*\]\s*|(private|protected|noncomputable|nonrec)\s+)*")


class _Entry(msgspec.Struct, frozen=True):
    formal_statement: str
    name: str = ""
    id: str = ""
    header: str = ""
    src_header: str = ""
    split: str = ""


@dataclass(frozen=True, slots=True)
class Statements:
    """Theorems without proofs, in the order of their file.

    Attributes:
        records: Theorem records. They are in no file of a project, so their spans are empty and their context
            is the header.
        parts: Ids in the train, val and test split.
    """

    records: tuple[TheoremRecord, ...]
    parts: dict[str, tuple[str, ...]]


def read_statements(path: Path, header: str) -> Statements:
    """Read a list of statements.

    Args:
        path: `NAME.jsonl`, or any other text file.
        header: Header (imports, `open`, options) of statements that have none.

    Raises:
        DataError: The file is missing or empty, or a line is not a statement.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}): set data.path to a file") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8") from None
    parse = _json_entries() if path.suffix == ".jsonl" else _plain_entry
    num_named: Counter[str] = Counter()
    records, parts = [], {part: [] for part in ("train", "val", "test")}
    for number, line in enumerate(lines, start=1):
        entry = parse(line, f"{path}:{number}")
        if entry is None:
            continue
        record = _record(entry, path.name, header, num_named, f"{path}:{number}")
        records.append(record)
        parts[SPLITS[entry.split]].append(record.theorem.id)
    if not records:
        raise DataError(f"{path}: contains no statement")
    return Statements(tuple(records), {part: tuple(ids) for part, ids in parts.items()})


def _json_entries() -> Callable[[str, str], _Entry | None]:
    decoder = msgspec.json.Decoder(_Entry)

    def parse(line: str, where: str) -> _Entry | None:
        if not line.strip():
            return None
        try:
            entry = decoder.decode(line)
        except msgspec.DecodeError as error:
            raise DataError(f"{where}: not a statement: {error}") from None
        if entry.split not in SPLITS:
            raise DataError(
                f"{where}: unknown split {entry.split!r}: use one of {', '.join(filter(None, SPLITS))}"
            )
        return entry

    return parse


def _plain_entry(line: str, where: str) -> _Entry | None:
    text = line.strip()
    if not text or text.startswith("--"):
        return None
    if not _declares(text):
        text = f"theorem statement_{where.rpartition(':')[2]} : {text}"
    return _Entry(text)


def _declares(text: str) -> bool:
    modifiers = _MODIFIERS.match(text)
    return _DECLARATION.match(text, modifiers.end() if modifiers else 0) is not None


def _record(entry: _Entry, file: str, header: str, num_named: Counter[str], where: str) -> TheoremRecord:
    statement = _PROOF.sub("", entry.formal_statement.strip())
    declared = _DECLARATION.search(statement)
    if declared is None:
        raise DataError(f"{where}: {statement[:60]!r} declares no theorem")
    kind, own_name = declared.groups()
    name = entry.name or entry.id or own_name
    if not name:
        raise DataError(f"{where}: the statement has no name: give it one, as in `theorem NAME : ...`")
    num_named[name] += 1
    theorem_id = name if num_named[name] == 1 else f"{name}#{num_named[name]}"
    context = entry.header or entry.src_header or header
    theorem = Theorem(theorem_id, file, statement, NOWHERE, NOWHERE, context)
    # Only ProofNet for Lean 3 has a field with this name.
    prover = "lean3" if entry.src_header else "lean"
    return TheoremRecord(theorem, prover, "", kind, "", ())
