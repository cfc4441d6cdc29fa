"""Reads lists of Lean statements without proofs: miniF2F, ProofNet, or your own.

A file whose name ends in `.jsonl` has one object per line. Its fields are `name`, `formal_statement`,
`header` and `split` (`valid` or `test`) as in the Lean 4 versions of miniF2F and ProofNet, or `id`,
`formal_statement` and `src_header` as in ProofNet for Lean 3. Any other file has statements: a declaration,
or a proposition, which gets a name. Lines that begin with a blank continue a statement; blank lines and lines
that begin with `--` are ignored; `import`, `open`, `universe`, `variable` and `set_option` are for all
statements after them. Whatever stands before the declaration in a statement becomes part of its context.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ntp.data.records import TheoremRecord
from ntp.envs.lean.syntax import LeanSyntaxError, last_theorem, split_imports, split_prefix
from ntp.errors import DataError
from ntp.types import Span, Theorem

SPLITS = {"": "test", "train": "train", "valid": "val", "val": "val", "test": "test"}
NOWHERE = Span(0, 0)

_DECLARATION = re.compile(r"\b(theorem|lemma|def|abbrev|instance|example)\b\s*([^\s:({\[⦃]*)")
_PROOF = re.compile(r"\s*:=\s*(by\b\s*)?(sorry\s*)?$")
_COMMAND = re.compile(r"(?:import|open|universe|variable|set_option)\b(?![^\n]*\bin\s*$)")
_UNSUPPORTED = re.compile(r"(?:namespace|section|end|mutual|macro|notation|syntax|elab)\b")
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
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}): set data.path to a file") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8") from None
    entries = _json_entries(lines, path) if path.suffix == ".jsonl" else _plain_entries(lines, path)
    num_named: Counter[str] = Counter()
    records, parts = [], {part: [] for part in ("train", "val", "test")}
    for where, entry in entries:
        record = _record(entry, path.name, header, num_named, where)
        records.append(record)
        parts[SPLITS[entry.split]].append(record.theorem.id)
    if not records:
        raise DataError(f"{path}: contains no statement")
    return Statements(tuple(records), {part: tuple(ids) for part, ids in parts.items()})


def without_proof(declaration: str) -> str:
    """A declaration without `:=`, `:= by` or `:= by sorry` at its end."""
    return _PROOF.sub("", declaration)


def _json_entries(lines: Sequence[str], path: Path) -> Iterator[tuple[str, _Entry]]:
    decoder = msgspec.json.Decoder(_Entry)
    for number, line in enumerate(lines, start=1):
        where = f"{path}:{number}"
        if not line.strip():
            continue
        try:
            entry = decoder.decode(line)
        except msgspec.DecodeError as error:
            raise DataError(f"{where}: not a statement: {error}") from None
        if entry.split not in SPLITS:
            raise DataError(
                f"{where}: unknown split {entry.split!r}: use one of {', '.join(filter(None, SPLITS))}"
            )
        yield where, entry


def _plain_entries(lines: Sequence[str], path: Path) -> Iterator[tuple[str, _Entry]]:
    preamble = ""
    for number, text in _paragraphs(lines):
        where = f"{path}:{number}"
        if _COMMAND.match(text):
            preamble += f"{text}\n"
            continue
        if _UNSUPPORTED.match(text):
            raise DataError(f"{where}: {text.split()[0]} is no statement: a plain list has none of these")
        if not _declares(text):
            text = f"theorem statement_{number} : {text}"
        yield where, _Entry(preamble + text)


def _paragraphs(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Statements and commands with the number of their first line; indented lines continue them."""
    begin, gathered = 0, list[str]()
    for number, line in enumerate(lines, start=1):
        text = line.rstrip()
        if not text or text.lstrip().startswith("--"):
            continue
        if gathered and not text[0].isspace():
            yield begin, "\n".join(gathered)
            gathered = []
        if not gathered:
            begin, text = number, text.lstrip()
        gathered.append(text)
    if gathered:
        yield begin, "\n".join(gathered)


def _declares(text: str) -> bool:
    modifiers = _MODIFIERS.match(text)
    return _DECLARATION.match(text, modifiers.end() if modifiers else 0) is not None


def cut_declaration(text: str, where: str) -> tuple[str, str]:
    """What stands before the declaration of a theorem, and the declaration with its modifiers.

    Raises:
        DataError: Another theorem stands before it.
    """
    try:
        begin = last_theorem(text)
        if begin is None:
            return "", text
        preamble, _ = split_prefix(text[:begin])
        if last_theorem(preamble) is not None:
            raise DataError(f"{where}: more than one theorem is declared: give each an entry of its own")
    except LeanSyntaxError:
        return "", text  # some published statements are broken; a prover that opens one says so
    return preamble.strip(), text[len(preamble) :].lstrip()


def _context(entry: _Entry, preamble: str, header: str) -> str:
    """The header of a statement and what stands before it; imports first, each once."""
    own = entry.header or entry.src_header
    imports, rest = split_imports(preamble)
    if imports and not own:
        return preamble  # it is complete
    given_imports, given_rest = split_imports(own or header)
    if not preamble:
        return own or header
    lines = dict.fromkeys([*given_imports.splitlines(), *imports.splitlines()])
    return "\n".join(part for part in (*lines, given_rest, rest) if part)


def _record(entry: _Entry, file: str, header: str, num_named: Counter[str], where: str) -> TheoremRecord:
    preamble, declaration = cut_declaration(entry.formal_statement.strip(), where)
    statement = without_proof(declaration)
    declared = _DECLARATION.search(statement)
    if declared is None:
        raise DataError(f"{where}: {statement[:60]!r} declares no theorem")
    kind, own_name = declared.groups()
    name = entry.name or entry.id or own_name
    if not name:
        raise DataError(f"{where}: the statement has no name: give it one, as in `theorem NAME : ...`")
    num_named[name] += 1
    theorem_id = name if num_named[name] == 1 else f"{name}#{num_named[name]}"
    context = _context(entry, preamble, header)
    theorem = Theorem(theorem_id, file, statement, NOWHERE, NOWHERE, context)
    # Only ProofNet for Lean 3 has a field with this name.
    prover = "lean3" if entry.src_header else "lean"
    return TheoremRecord(theorem, prover, "", kind, "", ())
