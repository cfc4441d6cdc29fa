"""The sources of a Lake project, and the names of their modules."""

from __future__ import annotations

import fnmatch
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from ntp.data.lean.leandojo import module_name
from ntp.errors import DataError

TOOLCHAIN = "lean-toolchain"
MANIFEST = "lake-manifest.json"
MAX_SOURCE_BYTES = 8 << 20
_BUILT = frozenset({"build", "lake-packages"})
_NO_SOURCES = frozenset({"lakefile.lean"})


@dataclass(frozen=True)
class LakeProject:
    """A directory of Lean sources. Nothing of it is run here.

    Attributes:
        root: The project.
    """

    root: Path

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """Every source, relative to the root, sorted.

        Without dependencies, build products, hidden directories, lakefiles, links that lead elsewhere, and
        names that cannot be printed.
        """
        return tuple(sorted(self._walk()))

    def files(self, include: Sequence[str], exclude: Sequence[str] = ()) -> list[str]:
        """The sources that match a glob, without those that match another; `**/` is any directory or none."""
        return [file for file in self.sources if _matches(file, include) and not _matches(file, exclude)]

    @cached_property
    def modules(self) -> dict[str, str]:
        """The file of each module."""
        return {module_name(file): file for file in reversed(self.sources)}

    @property
    def toolchain(self) -> str:
        """The toolchain that the project asks for, as `leanprover/lean4:v4.9.0`; empty if unknown."""
        return self._optional(TOOLCHAIN).decode(errors="replace").strip()

    @cached_property
    def dependencies(self) -> str:
        """Digest of the toolchain and of the versions of the packages that the project depends on."""
        return hashlib.sha256(self._optional(TOOLCHAIN) + b"\0" + self._optional(MANIFEST)).hexdigest()

    @property
    def is_built(self) -> bool:
        """Whether Lake has built anything here."""
        return (self.root / ".lake/build").is_dir() or (self.root / "build").is_dir()

    def read_bytes(self, file: str) -> bytes:
        """The content of a source.

        Raises:
            DataError: It cannot be read, or is longer than 8 MiB.
        """
        path = self.root / file
        try:
            if path.stat().st_size > MAX_SOURCE_BYTES:
                raise DataError(f"{file}: longer than {MAX_SOURCE_BYTES >> 20} MiB")
            return path.read_bytes()
        except OSError as error:
            raise DataError(f"{file}: cannot be read from {self.root}: {error.strerror}") from None

    def read(self, file: str) -> str:
        """The text of a source; line ends are not translated.

        Raises:
            DataError: As for `read_bytes`, or it is not UTF-8.
        """
        try:
            return self.read_bytes(file).decode()
        except UnicodeDecodeError:
            raise DataError(f"{file}: not UTF-8, as Lean requires") from None

    def _walk(self) -> Iterator[str]:
        root = self.root.resolve()
        for directory, inner, names in os.walk(root):
            inner[:] = [name for name in inner if not name.startswith(".") and name not in _BUILT]
            for name in names:
                path = Path(directory, name)
                if not name.endswith(".lean") or name in _NO_SOURCES or name.startswith("."):
                    continue
                file = path.relative_to(root).as_posix()
                if _is_text(file) and path.is_file() and path.resolve().is_relative_to(root):
                    yield file

    def _optional(self, name: str) -> bytes:
        path = self.root / name
        return path.read_bytes() if path.is_file() else b""


def _is_text(name: str) -> bool:
    """Whether a name is UTF-8 without control characters, so that records can hold it."""
    return name.isprintable()


def _matches(file: str, patterns: Sequence[str]) -> bool:
    return any(_match(PurePosixPath(file).parts, PurePosixPath(pattern).parts) for pattern in patterns)


def _match(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_match(parts[skipped:], pattern[1:]) for skipped in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], pattern[0]) and _match(parts[1:], pattern[1:])
