"""A Coq project: its sources, its logical names, and the command line that starts Coq on them."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ntp.envs.coq.build_files import LoadPath, is_skipped
from ntp.errors import EnvError, InitError

_DUNE_BUILD = "_build/default"
INSTALL_COMMAND = "apt-get install coq"
SUPPORTED = "8.16 to 8.20"
_OLDEST, _NEWEST = (8, 16), (8, 20)


@dataclass(frozen=True)
class CoqProject:
    """A tree of `.v` files that has been built.

    Attributes:
        root: The directory that `Theorem.file` is relative to.
        load_paths: (flag, directory, logical name) triples as given to coqc; directories relative to `root`.
            Empty for the standard library itself.
        coqidetop: The program, a name on PATH or a path.
        options: Further options, as given to coqc; directories relative to `root`.
    """

    root: Path
    load_paths: tuple[LoadPath, ...] = field(default=())
    coqidetop: str = "coqidetop.opt"
    options: tuple[str, ...] = ()

    def files(self, patterns: Sequence[str] = ("**/*.v",)) -> list[str]:
        """Source files below the root that match any pattern, sorted, relative to the root.

        Directories of build systems (`_build`, `_opam`) and hidden ones are left out.
        """
        found = (path.relative_to(self.root) for pattern in patterns for path in self.root.glob(pattern))
        return sorted({path.as_posix() for path in found if not is_skipped(path.parts)})

    def directories(self, path: LoadPath) -> list[Path]:
        """Where a load path's files are: its directory and, with dune, the one of the `.vo` files."""
        built = self.root / _DUNE_BUILD / path.directory
        return [self.root / path.directory, *([built] if built.is_dir() else [])]

    def read(self, file: str) -> str:
        """Source text of a file, without a byte-order mark.

        Bytes that are no UTF-8, which coqc takes in comments, become U+FFFD.

        Raises:
            InitError: The file is missing, is outside the root or cannot be read.
        """
        path = self.root / file
        if not path.resolve().is_relative_to(self.root.resolve()):
            raise InitError(f"{file}: is outside the project {self.root}")
        try:
            # Offsets count the characters of the file, so line ends are not translated.
            return path.read_bytes().decode("utf-8-sig", errors="replace")
        except FileNotFoundError:
            raise InitError(f"{file}: no such file in {self.root}") from None
        except OSError as error:
            raise InitError(f"{file}: cannot be read from {self.root}: {error}") from None

    def command(self, file: str) -> list[str]:
        """The command line that starts coqidetop for one file.

        Raises:
            EnvError: coqidetop is not installed.
        """
        flags = ["-q", "-main-channel", "stdfds", "-async-proofs", "off", "-native-compiler", "no"]
        # Without these flags, Coq admits a failing sentence and continues.
        for kind in ("tactic", "command"):
            flags += [f"-async-proofs-{kind}-error-resilience", "off"]
        for path in self.load_paths:
            for directory in self.directories(path):
                flags += [path.flag, str(directory.resolve()), path.name]
        flags += self._absolute_options()
        if self._is_prelude(file):
            flags.append("-noinit")
        return [find_tool(self.coqidetop), *flags, "-topfile", str((self.root / file).resolve())]

    def _absolute_options(self) -> list[str]:
        before = ("", *self.options)
        return [
            str((self.root / option).resolve()) if last == "-I" else option
            for last, option in zip(before, self.options, strict=False)
        ]

    def _is_prelude(self, file: str) -> bool:
        try:
            return (self.root / file).resolve().is_relative_to(standard_library_directory() / "Init")
        except EnvError:
            return False


def standard_library() -> CoqProject:
    """The project of the installed standard library.

    Raises:
        EnvError: Coq is not installed.
    """
    return CoqProject(standard_library_directory())


@functools.cache
def standard_library_directory() -> Path:
    """Directory of the standard library's sources, below what `coqc -where` prints.

    Raises:
        EnvError: Coq is not installed, or its sources are not.
    """
    where = subprocess.run([find_tool("coqc"), "-where"], capture_output=True, text=True, check=False)
    directory = Path(where.stdout.strip()).resolve() / "theories"
    if where.returncode or not directory.is_dir():
        raise EnvError(f"the standard library is not at {directory}: {INSTALL_COMMAND}")
    return directory


def find_tool(name: str) -> str:
    """Full path of a Coq program.

    Raises:
        EnvError: The program is not on PATH.
    """
    path = shutil.which(name)
    if path is None:
        raise EnvError(f"{name} was not found on PATH: install Coq with `{INSTALL_COMMAND}`")
    return path


def installed_version(project: CoqProject) -> str:
    """Version of the Coq that a project uses, as in `8.16.1`.

    Raises:
        EnvError: Coq is not installed, or has an unsupported version.
    """
    program = find_tool(project.coqidetop)
    version = _version_of(program, Path(program).stat().st_mtime_ns)
    check_version(version)
    return version


@functools.cache
def _version_of(program: str, mtime_ns: int) -> str:  # noqa: ARG001 - part of the cache's key
    """Asked once per process: the keys of all stages contain it."""
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"version (\S+)", answer.stdout)
    return match[1] if match else ""


def check_version(version: str) -> None:
    """Refuse a Coq version whose protocol was not tested with this client.

    Raises:
        EnvError: The version is outside the supported range.
    """
    match = re.match(r"(\d+)\.(\d+)", version)
    if match is None or not _OLDEST <= (int(match[1]), int(match[2])) <= _NEWEST:
        raise EnvError(
            f"found Coq {version or 'of unknown version'}, supported are {SUPPORTED}: `{INSTALL_COMMAND}`"
        )
