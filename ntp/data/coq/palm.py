"""Coq projects as PALM stores them: a JSON file for each source file, and a table of their load paths."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ntp.envs.coq.build_files import LoadPath
from ntp.errors import DataError

LOAD_PATHS = "path.json"
_MODULE = re.compile(r"[^\W\d][\w']*")
_FIRST_OF_PATH = ("-R", "-Q")


@dataclass(frozen=True, slots=True)
class PalmTheorem:
    """A theorem of a project's list.

    Attributes:
        file: Source file, relative to the project.
        name: Its name.
        kind: `Lemma`, `Theorem`, ...
    """

    file: str
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class PalmProject:
    """A project.

    Attributes:
        name: Name of its folder.
        load_path: Where its files are in Coq's name space.
        sources: From a file's path to its text.
        theorems: The theorems that PALM proves, file by file.
    """

    name: str
    load_path: LoadPath
    sources: Mapping[str, str]
    theorems: tuple[PalmTheorem, ...]

    def write(self, directory: Path) -> None:
        """Write the sources and a `_CoqProject` that lists them; the directory is made."""
        directory.mkdir(parents=True, exist_ok=True)
        for file, text in self.sources.items():
            (directory / file).write_text(text, encoding="utf-8")
        path = self.load_path
        lines = [f"{path.flag} {path.directory} {path.name}", *sorted(self.sources)]
        (directory / "_CoqProject").write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_projects(folder: Path) -> list[PalmProject]:
    """All projects of a folder, those of its `path.json`, in order of their names.

    Raises:
        DataError: A file is missing or is not what PALM writes.
    """
    table = _read(folder / LOAD_PATHS)
    if not isinstance(table, dict) or not table:
        raise DataError(f"{folder / LOAD_PATHS}: is not a table from project to load path")
    return [_project(folder, str(name), table[name]) for name in sorted(table)]


def _project(folder: Path, name: str, row: Any) -> PalmProject:
    where = f"{folder / LOAD_PATHS}: {name}"
    if not _MODULE.fullmatch(name.replace("-", "_")):
        raise DataError(f"{where}: is no name of a folder")
    words = shlex.split(row[0]) if isinstance(row, list) and row and isinstance(row[0], str) else []
    if len(words) != 3 or words[0] not in _FIRST_OF_PATH or words[1] != ".":
        raise DataError(f"{where}: give [-R . NAME, ...] or [-Q . NAME, ...]")
    files = sorted((folder / name).glob("*.json"))
    if not files:
        raise DataError(f"{folder / name}: holds no JSON file of project {name}")
    sources: dict[str, str] = {}
    theorems: list[PalmTheorem] = []
    for file in files:
        if not _MODULE.fullmatch(file.stem):
            raise DataError(f"{file}: is no name of a Coq module")
        source = f"{file.stem}.v"
        content = _read(file)
        sources[source] = _text(file, content)
        theorems += _theorems(file, source, content["theorems"])
    return PalmProject(name, LoadPath(*words), sources, tuple(theorems))


def _text(file: Path, content: Any) -> str:
    if not isinstance(content, dict) or not {"code", "theorems"} <= content.keys():
        raise DataError(f"{file}: lacks code or theorems")
    code = content["code"]
    if not isinstance(code, list) or not all(isinstance(line, str) for line in code):
        raise DataError(f"{file}: code is not a list of texts")
    return "\n".join(code) + "\n"


def _theorems(file: Path, source: str, rows: Sequence[Any]) -> list[PalmTheorem]:
    try:
        return [PalmTheorem(source, str(row["name"]), str(row["kind"])) for row in rows]
    except (TypeError, KeyError):
        raise DataError(f"{file}: a theorem lacks its name or kind") from None


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file: give data.path=FOLDER with PALM's projects") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {' '.join(str(error).split())}") from None
