"""When the files and theorems of a repository were created, by one pass over its history.

`git log -S NAME` reads the whole history once for every name. Here each version of each file is read once:
the pass goes from the first commit to the last and notes the first version of a file that states a theorem. A
file that was renamed keeps the creation of its former name.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ntp.data.checkout import READING, SAFE
from ntp.errors import DataError
from ntp.jsonl import read_jsonl, write_jsonl

_TIMEOUT_S = 600.0
_STATED = re.compile(
    r"\b(?:Lemma|Theorem|Corollary|Proposition|Remark|Fact|Property|Example|Definition|Instance|Fixpoint|CoFixpoint"
    r"|Let|Function|theorem|lemma|def|instance|abbrev)\s+(?P<name>[^\W\d][\w'.]*)"
)


@dataclass(frozen=True, slots=True)
class Creation:
    """The commit that created something, and its author's date as YYYY-MM-DD; None where unknown."""

    commit: str | None
    date: str | None


@dataclass(frozen=True)
class Creations:
    """When things were created.

    Attributes:
        files: By path.
        theorems: By id.
    """

    files: Mapping[str, Creation] = field(default_factory=dict)
    theorems: Mapping[str, Creation] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CreationRecord:
    """When a file or a theorem was created, as a line of a file.

    Attributes:
        is_file: Whether it is a file.
        name: Its path, or the theorem's id.
        commit: As in `Creation`.
        date: As in `Creation`.
    """

    is_file: bool
    name: str
    commit: str | None
    date: str | None


@dataclass(frozen=True, slots=True)
class _Change:
    creation: Creation
    blob: str
    path: str
    former_path: str


def find_creations(repository: Path, theorems: Mapping[str, Sequence[tuple[str, str]]]) -> Creations:
    """Read a repository's history.

    Args:
        repository: A git repository with its whole history, or a directory in one.
        theorems: For each file, relative to the directory, the ids of its theorems with their short names.

    Raises:
        DataError: It is no git repository, or git fails.
    """
    files: dict[str, Creation] = {}
    names: dict[str, dict[str, Creation]] = {}
    changes = list(_changes(repository))
    texts = _texts(repository, [change.blob for change in changes])
    for change, text in zip(changes, texts, strict=True):
        former = change.former_path
        files.setdefault(change.path, files.get(former, change.creation))
        known = names.setdefault(change.path, dict(names.get(former, {})))
        for name in _stated(text):
            known.setdefault(name, change.creation)
    found = {
        theorem_id: names[file][name]
        for file, stated in theorems.items()
        for theorem_id, name in stated
        if name in names.get(file, {})
    }
    return Creations(files, found)


def save_creations(created: Creations, path: Path) -> None:
    """Write creations to a file.

    Raises:
        DataError: The directory cannot be written.
    """
    found = [(True, name, c) for name, c in created.files.items()]
    found += [(False, name, c) for name, c in created.theorems.items()]
    write_jsonl(path, (CreationRecord(is_file, name, c.commit, c.date) for is_file, name, c in found))


def load_creations(path: Path) -> Creations:
    """Read creations from a file.

    Raises:
        DataError: The file is missing or corrupt.
    """
    parts: tuple[dict[str, Creation], dict[str, Creation]] = ({}, {})
    for record in read_jsonl(path, CreationRecord):
        parts[not record.is_file][record.name] = Creation(record.commit, record.date)
    return Creations(*parts)


def _stated(text: str) -> set[str]:
    return {match["name"].rpartition(".")[2] for match in _STATED.finditer(text)}


def _changes(repository: Path) -> Iterator[_Change]:
    """Every version of every source, oldest first."""
    arguments = [
        "log",
        "--relative",
        "--reverse",
        "--no-merges",
        "--topo-order",
        "--raw",
        "--no-abbrev",
        "-M",
    ]
    shape = ["--date=short", "--format=commit %H %ad", "-z"]
    out = _git(repository, [*arguments, *shape, "--", "*.v", "*.lean"])
    creation = Creation(None, None)
    words = iter(out.decode(errors="replace").split("\0"))
    for word in words:
        for line in filter(None, word.split("\n")):
            if line.startswith("commit "):
                _, commit, date = line.split(" ", 2)
                creation = Creation(commit, date)
            elif line.startswith(":"):
                _, _, _, blob, status = line.split(" ")
                path = former = next(words)
                if status[0] in "RC":
                    path = next(words)
                if status[0] != "D":
                    yield _Change(creation, blob, path, former)


def _texts(repository: Path, blobs: Sequence[str]) -> Iterator[str]:
    """Contents of objects, by one process."""
    out = _git(
        repository, ["cat-file", "--batch", "--buffer"], "".join(f"{blob}\n" for blob in blobs).encode()
    )
    position = 0
    for _ in blobs:
        end = out.index(b"\n", position)
        header = out[position:end].split()
        size = int(header[2]) if len(header) == 3 else 0
        yield out[end + 1 : end + 1 + size].decode(errors="replace")
        position = end + 1 + (size + 1 if len(header) == 3 else 0)


def _git(repository: Path, arguments: Sequence[str], given: bytes = b"") -> bytes:
    # What a repository configures (hooks, filters, pagers, remotes) is not to run.
    command = ["git", *SAFE, "-C", str(repository), *arguments]
    environment = {**os.environ, **READING}
    try:
        done = subprocess.run(
            command, input=given, env=environment, capture_output=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DataError(f"{repository}: git {arguments[0]}: {error}") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["failed"]
        raise DataError(f"{repository}: git {arguments[0]}: {said[-1]}")
    return done.stdout
