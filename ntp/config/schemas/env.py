"""Schemas of proof environments."""

# ruff: noqa: D101 - a schema is documented by the class it is the schema of, or by its YAML
from __future__ import annotations

from dataclasses import dataclass, field

from omegaconf import MISSING


@dataclass
class LoadPathConfig:
    flag: str = MISSING
    directory: str = MISSING
    name: str = MISSING


@dataclass
class CoqEnvConfig:
    _target_: str = "ntp.envs.coq.factory.CoqEnvFactory"
    root: str | None = None
    load_paths: list[LoadPathConfig] = field(default_factory=list)
    coqidetop: str = "coqidetop.opt"
    tactic_timeout_s: int = 2
    max_memory_mb: int = 4096
    max_processes: int = 64
    scratch_mb: int = 64
    isolation: str = "auto"
    num_workers: int = 12


@dataclass
class LeanReplEnvConfig:
    _target_: str = "ntp.envs.lean.factory.LeanReplFactory"
    project: str | None = None
    command: list[str] = field(default_factory=lambda: ["lake", "exe", "repl"])
    imports: list[str] = field(default_factory=list)
    header: str = ""
    axioms: list[str] = field(default_factory=lambda: ["propext", "Classical.choice", "Quot.sound"])
    tactic_timeout_s: float = 10.0
    header_timeout_s: float = 300.0
    max_memory_mb: int = 16384
    max_processes: int = 64
    scratch_mb: int = 64
    isolation: str = "auto"
    max_commands: int = 20000
    pickle_directory: str | None = None
    num_workers: int = 4


@dataclass
class LeanDojoEnvConfig:
    _target_: str = "ntp.envs.lean.factory.LeanDojoFactory"
    url: str = "https://github.com/leanprover-community/mathlib4"
    commit: str = "???"
    command: list[str] | None = None
    axioms: list[str] = field(default_factory=lambda: ["propext", "Classical.choice", "Quot.sound"])
    tactic_timeout_s: float = 10.0
    open_timeout_s: float = 600.0
    max_memory_mb: int = 32768
    num_workers: int = 4


SCHEMAS: dict[tuple[str, str], type] = {
    ("env", "schema_coq"): CoqEnvConfig,
    ("env", "schema_lean_repl"): LeanReplEnvConfig,
    ("env", "schema_lean_dojo"): LeanDojoEnvConfig,
}
