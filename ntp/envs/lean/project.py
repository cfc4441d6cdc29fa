"""A Lean project: how the REPL is started in it, and the header and statement of a theorem."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ntp.envs.lean.positions import pack_position, unpack_position
from ntp.envs.lean.syntax import (
    LeanSyntaxError,
    Statement,
    parse_statement,
    split_prefix,
)
from ntp.errors import InitError
from ntp.types import Theorem


@dataclass(frozen=True)
class LeanProject:
    """A Lake project.

    Attributes:
        command: The command that starts the REPL: `lake exe repl` if the project has it, else
            `lake env /path/to/repl/.lake/build/bin/repl`.
        directory: The project, in which the command runs; None for a command that needs none.
        header: Header of theorems that have neither a context nor a place in a file.
        pickle_directory: Directory in which loaded headers are cached between processes; None for no cache.
    """

    command: tuple[str, ...]
    directory: Path | None = None
    header: str = ""
    pickle_directory: Path | None = None

    def locate(self, theorem: Theorem) -> tuple[str, Statement]:
        """The header of a theorem, which Lean reads before it, and its statement.

        A theorem with a context, or without a place in a file, contains its own statement. For any other,
        both are read from its file: data sets that give positions contain no sources.

        Raises:
            InitError: The file or place does not exist, or there is no theorem at it.
        """
        header, text = theorem.context or self.header, theorem.statement
        if not theorem.context and (theorem.declaration.end or theorem.proof.end):
            header, text = self._cut(theorem)
        try:
            return header, parse_statement(text)
        except LeanSyntaxError as error:
            raise InitError(f"{theorem.file}: {theorem.id} cannot be stated as a theorem: {error}") from None

    def _cut(self, theorem: Theorem) -> tuple[str, str]:
        where = f"{theorem.file}: {theorem.id}"
        if self.directory is None:
            raise InitError(f"{where} is in a file: give its project, env.project=/path/to/project")
        path = self.directory / theorem.file
        if not path.resolve().is_relative_to(self.directory.resolve()):
            raise InitError(f"{where}: {path} is outside the project")
        try:
            lines = _lines(path)
        except (OSError, UnicodeDecodeError) as error:
            raise InitError(
                f"{where}: {path} cannot be read ({error}): check out the data set's commit in env.project"
            ) from None
        begin = _offset(lines, theorem.declaration.begin)
        # The text is later cut where the proof begins, so it may reach to the end of the last line.
        last_line, _ = unpack_position(max(theorem.declaration.end, theorem.proof.end))
        end = _offset(lines, pack_position(last_line + 1, 1)) or len("\n".join(lines))
        if begin is None or begin >= end:
            line, column = unpack_position(theorem.declaration.begin)
            raise InitError(
                f"{where}: {path} has no line {line}, column {column}: is it the data set's commit?"
            )
        source = "\n".join(lines)
        header, prefix = split_prefix(source[:begin])
        return header, f"{prefix}\n{source[begin:end]}".lstrip()


@lru_cache(maxsize=16)
def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").split("\n")


def _offset(lines: list[str], packed: int) -> int | None:
    line, column = unpack_position(packed)
    if line > len(lines) or column > len(lines[line - 1]) + 1:
        return None
    return sum(len(text) + 1 for text in lines[: line - 1]) + column - 1
