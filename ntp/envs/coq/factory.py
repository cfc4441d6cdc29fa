"""Creates Coq environments from the plain values of a config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from ntp.envs.coq.env import CoqEnv
from ntp.envs.coq.project import CoqProject, LoadPath, standard_library
from ntp.envs.coq.script import CoqScriptSyntax
from ntp.envs.script import ScriptSyntax
from ntp.errors import ConfigError, EnvError
from ntp.sandbox.isolation import AUTO
from ntp.sandbox.limits import Limits


@dataclass(frozen=True)
class CoqEnvFactory:
    """Starts provers for one project: `factory()` returns a new environment.

    Attributes:
        root: Directory of a built project; None for the standard library of the installed Coq.
        load_paths: Mappings with `flag` (-R or -Q), `directory` relative to the root, and logical `name`.
        coqidetop: The program.
        tactic_timeout_s: Whole seconds for one tactic.
        max_memory_mb: Memory of one prover in MiB, and address space of each of its processes.
        max_processes: Maximum number of processes of one prover.
        scratch_mb: Size of a prover's temporary directory in MiB.
        isolation: How provers are isolated, see `ntp.sandbox.isolation`.
        num_workers: Number of provers that run at the same time.
    """

    prover: ClassVar[str] = "coq"
    syntax: ClassVar[ScriptSyntax] = CoqScriptSyntax()

    root: str | None = None
    load_paths: Sequence[Mapping[str, str]] = ()
    coqidetop: str = "coqidetop.opt"
    tactic_timeout_s: int = 2
    max_memory_mb: int = 4096
    max_processes: int = 64
    scratch_mb: int = 64
    isolation: str = AUTO
    num_workers: int = 12

    @cached_property
    def project(self) -> CoqProject:
        """The project.

        Raises:
            EnvError: Coq is missing, or the root is not a directory.
            ConfigError: A load path has an unknown flag.
        """
        paths = tuple(LoadPath(p["flag"], p["directory"], p["name"]) for p in self.load_paths)
        for path in paths:
            if path.flag not in ("-R", "-Q"):
                raise ConfigError(f"env.load_paths: flag {path.flag!r} of {path.name} must be -R or -Q")
        root = standard_library().root if self.root is None else Path(self.root)
        if not root.is_dir():
            raise EnvError(f"env.root={root} is not a directory")
        return CoqProject(root, paths, self.coqidetop)

    @property
    def limits(self) -> Limits:
        """Resource limits of each prover."""
        return Limits(
            memory_mb=self.max_memory_mb,
            processes=self.max_processes,
            scratch_mb=self.scratch_mb,
            isolation=self.isolation,
        )

    def __call__(self) -> CoqEnv:
        """Return a new environment; its process starts when first needed."""
        return CoqEnv(self.project, self.tactic_timeout_s, self.limits)
