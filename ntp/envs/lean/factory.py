"""Creates Lean environments from the plain values of a config."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ntp.bounds import PositiveFloat, PositiveInt
from ntp.envs.lean.dojo import WORKER_COMMAND, DojoBackend
from ntp.envs.lean.env import LeanEnv
from ntp.envs.lean.project import LeanProject
from ntp.envs.lean.repl import STANDARD_AXIOMS, ReplBackend
from ntp.envs.lean.script import LeanScriptSyntax
from ntp.envs.script import ScriptSyntax
from ntp.errors import ConfigError
from ntp.sandbox.isolation import AUTO
from ntp.sandbox.limits import Limits


@dataclass(frozen=True)
class LeanReplFactory:
    """Starts REPLs for one project: `factory()` returns a new environment.

    Attributes:
        project: Directory of a Lake project that has been built; None for a command that needs none.
        command: The command that starts the REPL in the project.
        imports: Modules imported before theorems that have neither a context nor a place in a file.
        header: Lean text after these imports.
        axioms: Axioms that a proof may use.
        tactic_timeout_s: Seconds for one tactic; four times that for a statement.
        header_timeout_s: Seconds to load a header, including its imports.
        max_memory_mb: Memory of one prover in MiB, and address space of each of its processes. Lean maps its
            libraries: Mathlib alone takes 6 GiB of it.
        max_processes: Maximum number of processes of one prover.
        scratch_mb: Size of a prover's temporary directory in MiB.
        isolation: How provers are isolated, see `ntp.sandbox.isolation`.
        max_commands: A process is replaced, between two theorems, after this many requests.
        pickle_directory: Directory in which loaded headers are cached between processes; None for no cache.
        num_workers: Number of processes that run at the same time.
    """

    prover: ClassVar[str] = "lean"
    syntax: ClassVar[ScriptSyntax] = LeanScriptSyntax()

    project: str | None = None
    command: Sequence[str] = ("lake", "exe", "repl")
    imports: Sequence[str] = ()
    header: str = ""
    axioms: Sequence[str] = STANDARD_AXIOMS
    tactic_timeout_s: PositiveFloat = 10.0
    header_timeout_s: PositiveFloat = 300.0
    max_memory_mb: PositiveInt = 16384
    max_processes: PositiveInt = 64
    scratch_mb: PositiveInt = 64
    isolation: str = AUTO
    max_commands: PositiveInt = 20_000
    pickle_directory: str | None = None
    num_workers: PositiveInt = 4

    def __post_init__(self) -> None:
        for name in ("tactic_timeout_s", "header_timeout_s", "max_memory_mb", "max_commands", "num_workers"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"env.{name}={getattr(self, name)}: must be positive")
        if not self.command:
            raise ConfigError("env.command is empty: give the program that starts the REPL")

    @property
    def limits(self) -> Limits:
        """Resource limits of each prover."""
        return Limits(
            memory_mb=self.max_memory_mb,
            # A pickled header of Mathlib's larger files is tens of megabytes.
            file_mb=512 if self.pickle_directory else 16,
            processes=self.max_processes,
            scratch_mb=self.scratch_mb,
            isolation=self.isolation,
        )

    @property
    def lean_project(self) -> LeanProject:
        """The project, and how a REPL is started in it."""
        header = "\n".join([*(f"import {name}" for name in self.imports), self.header]).strip()
        return LeanProject(
            command=tuple(self.command),
            directory=None if self.project is None else Path(self.project).absolute(),
            header=header,
            pickle_directory=None
            if self.pickle_directory is None
            else Path(self.pickle_directory).absolute(),
        )

    def __call__(self) -> LeanEnv:
        """Return a new environment; its process starts when first needed."""
        return LeanEnv(
            ReplBackend(
                self.lean_project,
                self.tactic_timeout_s,
                self.header_timeout_s,
                self.limits,
                self.max_commands,
                self.axioms,
            )
        )


@dataclass(frozen=True)
class LeanDojoFactory:
    """Starts Dojos for one repository: `factory()` returns a new environment.

    Workers run under resource limits only: they can use the network and the user's files.

    Attributes:
        url: Repository that contains the theorems.
        commit: Its commit.
        command: The command that starts the worker; None for `ntp.envs.lean.dojo_worker`.
        axioms: Axioms that a proof may use.
        tactic_timeout_s: Seconds for one tactic.
        open_timeout_s: Seconds to open a theorem; the first one traces the repository.
        max_memory_mb: Address space of one worker, and of its Lean, in MiB.
        num_workers: Number of workers that run at the same time.
    """

    prover: ClassVar[str] = "lean"
    syntax: ClassVar[ScriptSyntax] = LeanScriptSyntax()

    url: str
    commit: str
    command: Sequence[str] | None = None
    axioms: Sequence[str] = STANDARD_AXIOMS
    tactic_timeout_s: PositiveFloat = 10.0
    open_timeout_s: PositiveFloat = 600.0
    max_memory_mb: PositiveInt = 32768
    num_workers: PositiveInt = 4

    @property
    def limits(self) -> Limits:
        """Resource limits of each worker. lean-dojo traces in it: it needs the network and fills a cache."""
        return Limits(
            memory_mb=self.max_memory_mb,
            file_mb=1 << 14,
            processes=1024,
            scratch_mb=1 << 16,
            isolation="limits",
        )

    def __call__(self) -> LeanEnv:
        """Return a new environment; its worker starts when first needed."""
        return LeanEnv(
            DojoBackend(
                self.url,
                self.commit,
                self.tactic_timeout_s,
                self.open_timeout_s,
                self.limits,
                self.axioms,
                WORKER_COMMAND if self.command is None else tuple(self.command),
            )
        )
