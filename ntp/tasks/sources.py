"""What a data set is made from: the part of the config that says so, and the content of files named there."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from ntp.errors import ConfigError

# By where the data comes from: what the data set depends on, beside the content of `data.path`.
_READS = {
    "coq": ("data.include", "data.exclude", "env.root", "env.load_paths", "env.coqidetop"),
    "leandojo": ("data.source",),
    "statements": ("data.source", "data.header"),
}


def source_key(cfg: DictConfig) -> dict[str, Any]:
    """Everything that the data set of a config depends on, as plain values.

    Raises:
        ConfigError: `data.source` is unknown, or `data.path` is not given or not there.
    """
    source = cfg.data.source
    if source not in _READS:
        raise ConfigError(f"data.source={source} is unknown: choose data=coq_core, leandojo, minif2f, ...")
    key = {path: plain(OmegaConf.select(cfg, path)) for path in _READS[source]}
    return key if source == "coq" else {**key, "content": path_digest(_existing(cfg))}


def require_prover(cfg: DictConfig) -> None:
    """Raise `ConfigError` unless the environment runs the prover that the data is for."""
    wanted = "coq" if cfg.data.source == "coq" else "lean"
    missing = [key for key in cfg.env if OmegaConf.is_missing(cfg.env, key)]
    if missing:
        raise ConfigError(f"env.{missing[0]} is missing: give env.{missing[0]}=VALUE")
    prover = instantiate(cfg.env).prover
    if prover != wanted:
        advice = "env=coq" if wanted == "coq" else "env=lean_repl"
        raise ConfigError(f"the data is for {wanted} and the environment is {prover}: choose {advice}")
    if cfg.data.source == "leandojo" and cfg.env.get("project", "") is None:
        raise ConfigError(
            "theorems of a LeanDojo Benchmark stand in the files of its project: give env.project=/path/to/it"
        )


def extraction(cfg: DictConfig) -> str:
    """The experiment that makes the data set of a config."""
    return "extract_coq" if cfg.data.source == "coq" else "extract_lean"


def path_digest(path: Path) -> str:
    """SHA-256 of a file with its name, or of a folder's files with theirs.

    A benchmark of a gigabyte takes a second or two, so a file is read once in a process.
    """
    digest = hashlib.sha256()
    root = path if path.is_dir() else path.parent
    for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
        status = file.stat()
        digest.update(file.relative_to(root).as_posix().encode())
        digest.update(_file_digest(file, status.st_size, status.st_mtime_ns))
    return digest.hexdigest()


@cache
def _file_digest(file: Path, size: int, mtime_ns: int) -> bytes:  # noqa: ARG001 - a changed file is another
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


def _existing(cfg: DictConfig) -> Path:
    if OmegaConf.is_missing(cfg.data, "path"):
        raise ConfigError("data.path is missing: say where the data lies, data.path=PATH")
    path = Path(cfg.data.path)
    if not path.exists():
        raise ConfigError(f"data.path={cfg.data.path} is not there, seen from {Path.cwd()}")
    return path


def plain(value: Any) -> Any:
    """A part of a config as plain values."""
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
