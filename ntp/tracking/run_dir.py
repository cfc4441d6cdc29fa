"""The output directory of a run: its inputs (config, commit, seed) and its results."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

import ntp
from ntp.errors import ConfigError
from ntp.jsonl import atomic_write

COMPLETE = "COMPLETE"


class RunDir:
    """Creates the directory, and writes each file completely or not at all.

    Args:
        path: The directory; it may exist.

    Raises:
        ConfigError: The directory cannot be created or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=path):
                pass
        except OSError as error:
            raise ConfigError(
                f"output directory {path} cannot be written ({error.strerror}); choose another one"
            ) from None

    def write_inputs(self, config: Mapping[str, Any], seed: int) -> None:
        """Write `config.yaml` (resolved) and `provenance.json` (git commit, seed, version).

        Removes the marker of an earlier complete run.
        """
        (self.path / COMPLETE).unlink(missing_ok=True)
        with atomic_write(self.path / "config.yaml") as stream:
            stream.write(OmegaConf.to_yaml(OmegaConf.create(dict(config))))
        provenance = {"git_commit": git_commit(), "seed": seed, "ntp_version": ntp.__version__}
        self._write_json("provenance.json", provenance)

    def write_summary(self, summary: Mapping[str, float]) -> None:
        """Write `summary.json`: metric name to number."""
        self._write_json("summary.json", dict(summary))

    def read_summary(self) -> dict[str, float]:
        """Read what `write_summary` wrote."""
        return json.loads((self.path / "summary.json").read_text(encoding="utf-8"))

    def mark_complete(self) -> None:
        """Write the marker `COMPLETE`; call this last."""
        (self.path / COMPLETE).touch()

    def _write_json(self, name: str, value: Mapping[str, Any]) -> None:
        with atomic_write(self.path / name) as stream:
            stream.write(json.dumps(value, indent=2) + "\n")


def is_complete(path: Path) -> bool:
    """Whether the run that wrote to `path` has finished."""
    return (path / COMPLETE).exists()


def complete_runs(outputs: Path, file: str) -> list[Path]:
    """Directories of finished runs that contain a file, the newest first.

    Args:
        outputs: The directory that contains them.
        file: Name of the file, with wildcards.
    """
    finished = {path.parent for path in outputs.glob(f"*/{file}") if is_complete(path.parent)}
    return sorted(finished, key=lambda path: (path / COMPLETE).stat().st_mtime_ns, reverse=True)


def set_aside(path: Path) -> Path | None:
    """Rename an earlier run, if there is one, to `PATH.1`, `PATH.2`, ...; returns its new path."""
    if not path.exists():
        return None
    number = next(n for n in count(1) if not path.with_name(f"{path.name}.{n}").exists())
    return path.rename(path.with_name(f"{path.name}.{number}"))


def git_commit() -> str:
    """Hash of the checkout that the package runs from, with `-dirty` when tracked files differ from it.

    Returns:
        "unknown" when the package does not run from a git checkout.
    """
    root = Path(ntp.__file__).resolve().parent.parent
    # An installed package may be inside the checkout of another project.
    if _git(root, "rev-parse", "--show-toplevel") != str(root):
        return "unknown"
    commit = _git(root, "rev-parse", "HEAD")
    if not commit:
        return "unknown"
    return f"{commit}-dirty" if _git(root, "status", "--porcelain", "--untracked-files=no") else commit


def _git(directory: Path, *arguments: str) -> str:
    command = ["git", "-C", str(directory), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
