"""Creates Coq environments from the plain values of a config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from ntp.bounds import PositiveInt
from ntp.envs.coq.build_files import BuildFile, LoadPath, find_build_file, read_options
from ntp.envs.coq.continuation import LiveCoqEnv
from ntp.envs.coq.env import CoqEnv
from ntp.envs.coq.hammer import require_hammer
from ntp.envs.coq.installation import CoqInstallation
from ntp.envs.coq.preamble import Preamble
from ntp.envs.coq.project import CoqProject, standard_library
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
        load_paths: Mappings with `flag` (-R or -Q), `directory` relative to the root, and logical `name`;
            if empty, those of the root's `_CoqProject` or of its dune files. Sources built by dune are
            found in `_build/default`.
        options: Options of coqc that change what a file means, as `[-impredicative-set, -w, none]`; if empty,
            those of the same files.
        coqidetop: The IDE server of Coq or Rocq, a name on PATH or a path; None for what is installed.
        sysroot: Directory that the prover sees as `/`, with the Coq in it: a root file system of another
            distribution or of a container image, as `make provers` makes them. None for this machine's own.
        preamble: Commands that run once a theorem is stated and before its proof, as
            `[From Hammer Require Import Hammer Tactics]` for `sauto` and `hammer`; see docs/whole_proof.md.
        tactic_timeout_s: Whole seconds for one tactic.
        hammer_timeout_s: Whole seconds for one `hammer`.
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
    options: Sequence[str] = ()
    coqidetop: str | None = None
    sysroot: str | None = None
    preamble: Sequence[str] = ()
    tactic_timeout_s: PositiveInt = 2
    hammer_timeout_s: PositiveInt = 30
    max_memory_mb: PositiveInt = 4096
    max_processes: PositiveInt = 64
    scratch_mb: PositiveInt = 64
    isolation: str = AUTO
    num_workers: PositiveInt = 12

    @cached_property
    def project(self) -> CoqProject:
        """The project.

        Raises:
            EnvError: Coq is missing, or the root is not a directory.
            ConfigError: A load path or an option cannot be used.
        """
        if self.root is None:
            options = read_options(self.options, "env.options")
            return replace(standard_library(self.installation), options=tuple(options))
        root = Path(self.root)
        if not root.is_dir():
            raise EnvError(f"env.root={root} is not a directory")
        declared = BuildFile() if self.load_paths and self.options else find_build_file(root)
        paths = [_load_path(given) for given in self.load_paths] or declared.load_paths
        options = read_options(self.options, "env.options") or declared.options
        project = CoqProject(root, tuple(paths), self.installation, tuple(options))
        for path in paths:
            if not any(directory.is_dir() for directory in project.directories(path)):
                raise ConfigError(f"env.load_paths: {root / path.directory} ({path.name}) is not a directory")
        return project

    @property
    def installation(self) -> CoqInstallation:
        """The Coq that is used."""
        sysroot = None if self.sysroot is None else Path(self.sysroot)
        return CoqInstallation(self.coqidetop, sysroot)

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
        preamble = Preamble.of(self.preamble, self.hammer_timeout_s)
        if preamble.has_hammer:
            require_hammer(self.installation.sysroot)
        return CoqEnv(self.project, self.tactic_timeout_s, self.limits, preamble=preamble)

    def live(self, text_timeout_s: float, axioms: Sequence[str] = ()) -> LiveCoqEnv:
        """Return a prover for a text that is being written; its process starts when first needed.

        Args:
            text_timeout_s: Seconds for a sentence of the text.
            axioms: Names of the axioms that proofs may use beside those that the text itself assumes.
        """
        return LiveCoqEnv(self.project, self.tactic_timeout_s, self.limits, text_timeout_s, axioms)


def _load_path(given: Mapping[str, str]) -> LoadPath:
    missing = {"flag", "directory", "name"} - set(given)
    if missing:
        raise ConfigError(f"env.load_paths: {dict(given)} lacks {', '.join(sorted(missing))}")
    if given["flag"] not in ("-R", "-Q"):
        raise ConfigError(f"env.load_paths: flag {given['flag']!r} of {given['name']} must be -R or -Q")
    return LoadPath(given["flag"], given["directory"], given["name"])
