"""An installed Coq or Rocq, here or in another root file system: its program, version and library."""

from __future__ import annotations

import functools
import logging
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ntp.errors import EnvError
from ntp.sandbox.isolation import environment, sandbox_for
from ntp.sandbox.limits import Limits
from ntp.sandbox.sysroot import find_program, host_path, require_sysroot

_log = logging.getLogger(__name__)

# Names of the IDE server, which speaks the XML protocol, in the order in which they are looked for.
SERVERS = ("coqidetop.opt", "coqidetop", "rocqidetop")
INSTALL_COMMAND = "apt-get install coq"
# Where `make provers` puts root file systems, below the root of this project.
PROVERS = ".provers"
INSTALL_LIBRARY_COMMAND = "apt-get install libcoq-stdlib"
_OLDEST, _NEWEST = (8, 16), (9, 2)
SUPPORTED = f"Coq {_OLDEST[0]}.{_OLDEST[1]} to Rocq {_NEWEST[0]}.{_NEWEST[1]}"
# Rocq 9 calls the small library that it comes with Corelib; the standard library is a package of its own.
_FIRST_ROCQ = (9, 0)
# OCaml: a minor heap of 8 MB instead of 2 MB, for fewer collections, which is measurably faster. OCaml 5
# reserves one for each of 128 domains, far more than the limit on memory, unless told that there is one.
ENVIRONMENT = {"OCAMLRUNPARAM": "s=1M,d=1"}
_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Library:
    """A directory of compiled files on this machine, and the logical name of what is below it."""

    directory: Path
    name: str


@dataclass(frozen=True)
class CoqInstallation:
    """One Coq or Rocq.

    Attributes:
        server: Its IDE server, a name on PATH or a path; None for the first of `SERVERS` that is there.
        sysroot: Directory that the prover sees as `/`, see `ntp.sandbox.sysroot`; None for `/` itself.
    """

    server: str | None = None
    sysroot: Path | None = None

    @functools.cached_property
    def program(self) -> str:
        """Full path of the IDE server, as the prover sees it.

        Raises:
            EnvError: There is none.
            ConfigError: The sysroot is no root file system.
        """
        names = (self.server,) if self.server else SERVERS
        if self.sysroot is None:
            found = next(filter(None, map(shutil.which, names)), None)
            where = "on PATH"
        else:
            require_sysroot(self.sysroot, "env.sysroot")
            found = next(filter(None, (find_program(self.sysroot, name) for name in names)), None)
            where = f"in {self.sysroot}"
        if found is None:
            raise EnvError(f"{names[0]} was not found {where}: install Coq there with `{INSTALL_COMMAND}`")
        return found

    @property
    def version(self) -> str:
        """Its version, as in `8.16.1` or `9.2`, which must be supported; a newer one is warned of.

        Raises:
            EnvError: It is not installed, does not start or is too old.
        """
        answer = self._ask("--version")
        match = re.search(r"version (\d+\.\S+)", answer)
        version = match[1] if match else ""
        check_version(version)
        return version

    @functools.cached_property
    def libraries(self) -> tuple[Library, ...]:
        """What is installed with it: its own library and then the standard library, if that is another one.

        Raises:
            EnvError: Coq is not installed, or its library is not where it says.
        """
        version = _numbers(self.version)
        where = self._ask("-where").strip()
        root = self.on_this_machine(where)
        own = root / "theories"
        if not where or not own.is_dir():
            raise EnvError(f"the standard library is not at {own}: `{INSTALL_COMMAND}`")
        if version < _FIRST_ROCQ:
            return (Library(own, "Coq"),)
        packaged = root / "user-contrib" / "Stdlib"
        return (Library(own, "Corelib"), *([Library(packaged, "Stdlib")] if packaged.is_dir() else []))

    @property
    def user_contrib(self) -> Path:
        """Directory of further installed libraries, on this machine."""
        return self.libraries[0].directory.parent / "user-contrib"

    def on_this_machine(self, path: str) -> Path:
        """Where a path that the prover names is."""
        return Path(path).resolve() if self.sysroot is None else host_path(self.sysroot.resolve(), path)

    def _ask(self, option: str) -> str:
        program = self.program
        file = Path(program) if self.sysroot is None else host_path(self.sysroot, program)
        return _answer(program, option, self.sysroot, file.stat().st_mtime_ns)


@functools.cache
def _answer(program: str, option: str, sysroot: Path | None, mtime_ns: int) -> str:  # noqa: ARG001 - for the cache
    """What a program prints; asked once per process, since the keys of all stages contain it."""
    limits = Limits(sysroot=sysroot.resolve() if sysroot else None)
    command = sandbox_for(limits).command([program, option], limits) if sysroot else [program, option]
    try:
        done = subprocess.run(
            command,
            env={**environment(limits), **ENVIRONMENT},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvError(f"{program} {option}: {error}") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or [f"exit status {done.returncode}"]
        where = f" in {sysroot}" if sysroot else ""
        raise EnvError(f"{program}{where} does not run: {said[-1]}: `{INSTALL_COMMAND}`")
    return done.stdout


@functools.cache
def check_version(version: str) -> None:
    """Refuse a version that is too old or no version, and warn of one that is newer than those tested.

    Raises:
        EnvError: The version is older than the oldest supported one, or cannot be read.
    """
    numbers = _numbers(version)
    if numbers < _OLDEST:
        raise EnvError(
            f"found Coq {version or 'of unknown version'}, supported are {SUPPORTED}: `{INSTALL_COMMAND}`"
        )
    if numbers > _NEWEST:
        _log.warning("Rocq %s is newer than the versions this was tested with, %s", version, SUPPORTED)


def _numbers(version: str) -> tuple[int, int]:
    match = re.match(r"(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2])) if match else (0, 0)
