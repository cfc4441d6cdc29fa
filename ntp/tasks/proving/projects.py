"""The projects of an evaluation: libraries of a catalogue, and directories of built projects."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from ntp.data.repositories import RepositoryEntry, read_repositories
from ntp.errors import ConfigError
from ntp.tasks.data.extract_repos import is_standard, root_of_entry


@dataclass(frozen=True)
class Project:
    """A project.

    Attributes:
        name: In tables and in the names of theorems.
        env: What it changes in the section `env`.
        data: What it changes in the section `data`.
    """

    name: str
    env: dict[str, Any]
    data: dict[str, Any]

    def sections(self, cfg: DictConfig) -> dict[str, DictConfig]:
        """The sections of a config, as they are for this project."""
        found = {"env": copy.deepcopy(cfg.env), "data": copy.deepcopy(cfg.data)}
        for name, changes in (("env", self.env), ("data", self.data)):
            for key, value in changes.items():
                OmegaConf.update(found[name], key, value, merge=False)
        return found


def projects_of(cfg: DictConfig) -> list[Project]:
    """The projects that `projects` names.

    Raises:
        ConfigError: There is none, one is unknown or not installed, or two have one name.
    """
    if not cfg.projects:
        raise ConfigError("projects is empty: give projects=[NAME or DIRECTORY, ...]")
    entries = {entry.name: entry for entry in read_repositories(Path(cfg.catalogue))}
    found = [_project(cfg, str(given), entries) for given in cfg.projects]
    names = [project.name for project in found]
    double = [name for name in names if names.count(name) > 1]
    if double:
        raise ConfigError(f"projects: two are called {double[0]}, and their theorems could not be told apart")
    return found


def _project(cfg: DictConfig, given: str, entries: dict[str, RepositoryEntry]) -> Project:
    if "/" in given or given in (".", ".."):
        directory = Path(given).absolute()
        if not directory.is_dir():
            raise ConfigError(f"projects: {given} is not a directory")
        return _in(directory.resolve().name, directory, (), (), ())
    entry = entries.get(given)
    if entry is None:
        raise ConfigError(
            f"projects: {given} is not in {cfg.catalogue}, which has {', '.join(entries)}; a directory "
            "has a slash in its name, as ./NAME"
        )
    if entry.url:
        raise ConfigError(f"projects: {given} is not here: check it out, build it, and give its path")
    factory = instantiate(cfg.env)
    if entry.library and is_standard(entry, factory.installation):
        # The files that the command's data names; what is held out is as in training.
        return Project(given, {"root": None, "load_paths": [], "options": list(entry.options)}, {})
    root = root_of_entry(entry, Path(cfg.catalogue).parent, Path(), factory)
    paths = [{"flag": "-R", "directory": ".", "name": entry.library}] if entry.library else entry.load_paths
    project = _in(entry.name, root, [dict(path) for path in paths], entry.options, entry.exclude)
    project.data["include"] = list(entry.include)
    return project


def _in(
    name: str,
    root: Path,
    load_paths: Sequence[dict[str, str]],
    options: Sequence[str],
    exclude: Sequence[str],
) -> Project:
    env = {"root": str(root), "load_paths": list(load_paths), "options": list(options)}
    # Held-out files are those of the command's own data.
    data = {"include": ["**/*.v"], "exclude": list(exclude), "split.test_files": []}
    return Project(name, env, data)
