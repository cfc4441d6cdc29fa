"""A Coq project: its sources, its logical names, and the command line that starts Coq on them."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ntp.errors import EnvError, InitError

INSTALL_COMMAND = "apt-get install coq"
SUPPORTED = "8.16 to 8.20"
_OLDEST, _NEWEST = (8, 16), (8, 20)


@dataclass(frozen=True, slots=True)
class LoadPath:
    """A directory and its logical name: `flag` is -R or -Q."""

    flag: str
    directory: str
    name: str


@dataclass(frozen=True)
class CoqProject:
    """A tree of `.v` files that has been built.

    Attributes:
        root: The directory that `Theorem.file` is relative to.
        load_paths: (flag, directory, logical name) triples as given to coqc; directories relative to `root`.
            Empty for the standard library itself.
        coqidetop: The program, a name on PATH or a path.
    """

    root: Path
    load_paths: tuple[LoadPath, ...] = field(default=())
    coqidetop: str = "coqidetop.opt"

    def files(self, patterns: Sequence[str] = ("**/*.v",)) -> list[str]:
        """Source files below the root that match any pattern, sorted, relative to the root."""
        return sorted({p.relative_to(self.root).as_posix() for g in patterns for p in self.root.glob(g)})

    def read(self, file: str) -> str:
        """Source text of a file.

        Raises:
            InitError: The file is missing, is outside the root or is not UTF-8.
        """
        path = self.root / file
        if not path.resolve().is_relative_to(self.root.resolve()):
            raise InitError(f"{file}: is outside the project {self.root}")
        try:
            # Offsets count the characters of the file, so line ends are not translated.
            return path.read_bytes().decode()
        except FileNotFoundError:
            raise InitError(f"{file}: no such file in {self.root}") from None
        except (OSError, UnicodeDecodeError) as error:
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
            flags += [path.flag, str((self.root / path.directory).resolve()), path.name]
        if self._is_prelude(file):
            flags.append("-noinit")
        return [find_tool(self.coqidetop), *flags, "-topfile", str((self.root / file).resolve())]

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
    command = [find_tool(project.coqidetop), "--version"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    match = re.search(r"version (\S+)", answer.stdout)
    version = match[1] if match else ""
    check_version(version)
    return version


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
