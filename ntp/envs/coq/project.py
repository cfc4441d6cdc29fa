"""A Coq project: its sources, its logical names, and the command line that starts Coq on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from ntp.envs.coq.build_files import LoadPath, is_skipped
from ntp.envs.coq.installation import INSTALL_LIBRARY_COMMAND, CoqInstallation
from ntp.errors import EnvError, InitError
from ntp.sandbox.limits import Limits

_DUNE_BUILD = "_build/default"


@dataclass(frozen=True)
class CoqProject:
    """A tree of `.v` files that has been built.

    Attributes:
        root: The directory that `Theorem.file` is relative to.
        load_paths: (flag, directory, logical name) triples as given to coqc; directories relative to `root`.
            Empty for the standard library itself.
        prover: The Coq that it was built with.
        options: Further options, as given to coqc; directories relative to `root`.
        overlays: Further directories whose files count as files below `root`, unless it has one of that name.
    """

    root: Path
    load_paths: tuple[LoadPath, ...] = field(default=())
    prover: CoqInstallation = field(default_factory=CoqInstallation)
    options: tuple[str, ...] = ()
    overlays: tuple[Path, ...] = ()

    def files(self, patterns: Sequence[str] = ("**/*.v",)) -> list[str]:
        """Source files below the root that match any pattern, sorted, relative to the root.

        Directories of build systems (`_build`, `_opam`) and hidden ones are left out.
        """
        found = (
            path.relative_to(root)
            for root in self.roots
            for pattern in patterns
            for path in root.glob(pattern)
        )
        return sorted({path.as_posix() for path in found if not is_skipped(path.parts)})

    def path(self, file: str) -> Path:
        """Where a file is: below the root or, if it is not there, below the first overlay that has it."""
        paths = [root / file for root in self.roots]
        return next((path for path in paths if path.exists()), paths[0])

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
        path = self.path(file)
        if not any(path.resolve().is_relative_to(root.resolve()) for root in self.roots):
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
        flags += self._flags(file)
        return [self.prover.program, *flags, "-topfile", self._seen(self.path(file))]

    def compiler_command(self, file: str) -> list[str]:
        """The command line of coqc, without a file, that compiles what stands for a file.

        Raises:
            EnvError: Coq is not installed.
        """
        program = str(PurePosixPath(self.prover.program).parent / "coqc")
        return [program, "-q", "-noglob", "-native-compiler", "no", *self._flags(file)]

    def limits(self, limits: Limits) -> Limits:
        """The limits of its prover, which sees the project's files in whatever root it has.

        Args:
            limits: Limits of a prover on this machine.
        """
        if self.prover.sysroot is None:
            return limits
        root = self.prover.sysroot.resolve()
        directories = [directory for path in self.load_paths for directory in self.directories(path)]
        named = [Path(option) for option in self._absolute_options() if option.startswith("/")]
        outside = {path.resolve() for path in (*self.roots, *directories, *named)}
        kept = sorted(path for path in outside if not path.is_relative_to(root) and path.exists())
        # One below another is visible with it.
        tops = [path for path in kept if not any(path.is_relative_to(p) for p in kept if p != path)]
        return replace(limits, sysroot=root, visible=tuple(tops))

    @property
    def roots(self) -> tuple[Path, ...]:
        """The root and the overlays."""
        return (self.root, *self.overlays)

    def _flags(self, file: str) -> list[str]:
        """Load paths and options, the same for all programs."""
        flags: list[str] = []
        for path in self.load_paths:
            for directory in self.directories(path):
                flags += [path.flag, self._seen(directory), path.name]
        flags += self._absolute_options()
        return [*flags, *(["-noinit"] if self._is_prelude(file) else [])]

    def _seen(self, path: Path) -> str:
        """The name that the prover has for a path of this machine."""
        path, root = path.resolve(), self.prover.sysroot and self.prover.sysroot.resolve()
        if root is None or not path.is_relative_to(root):
            return str(path)
        return str(PurePosixPath("/") / path.relative_to(root))

    def _absolute_options(self) -> list[str]:
        before = ("", *self.options)
        return [
            self._seen(self.root / option) if last == "-I" else option
            for last, option in zip(before, self.options, strict=False)
        ]

    def _is_prelude(self, file: str) -> bool:
        try:
            own = self.prover.libraries[0].directory
        except EnvError:
            return False
        return self.path(file).resolve().is_relative_to(own.resolve() / "Init")


def standard_library(prover: CoqInstallation | None = None) -> CoqProject:
    """The project of an installed standard library: the same files under the same names in every version.

    Rocq 9 has a part of them in its own library; for those, `Stdlib` has files that only pass on the others.

    Raises:
        EnvError: Coq is not installed, or its standard library is not.
    """
    prover = prover or CoqInstallation()
    own, *packaged = (library.directory for library in prover.libraries)
    if not packaged and prover.libraries[0].name != "Coq":
        missing = prover.user_contrib / "Stdlib"
        raise EnvError(f"the standard library is not at {missing}: `{INSTALL_LIBRARY_COMMAND}`")
    return CoqProject(own, prover=prover, overlays=tuple(packaged))
