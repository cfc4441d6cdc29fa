"""Stages: what a result depends on, and where it is kept. `ntp.workflow.plan` finds what a stage needs.

A stage is one task on one config. Its directory is named by a hash of everything its result depends on: the
parts of the config that its task reads, the version of what tasks write, and the keys of the stages it needs.
So a stage is made once, a changed option makes only what depends on it again, and a run that was killed finds
its own directory again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ntp.tracking.run_dir import is_complete
from ntp.workflow.digest import path_digest
from ntp.workflow.shards import is_merge, shard_key
from ntp.workflow.task import Run, Task

# Raised with every change of what tasks write or mean, so that older results are not reused.
FORMAT = 4

# Where a trainer computes, which changes its results by rounding at most.
PLACEMENT = ("accelerator", "devices", "num_nodes", "strategy")

# Options that name a model: the content of a local directory is part of the key.
_WEIGHTS = "name_or_path"


def read(cfg: DictConfig, *paths: str) -> dict[str, Any]:
    """Parts of a config as plain values, by path."""
    return {path: _plain(OmegaConf.select(cfg, path)) for path in paths}


@dataclass(frozen=True)
class Stage:
    """One task on one config, with the stages it needs.

    Attributes:
        task: The kind of stage.
        cfg: The whole config.
        needs: Stages by the role under which the task knows them.
        checkpoints: Directories given by the user in place of a stage, by role.
    """

    task: Task
    cfg: DictConfig
    needs: Mapping[str, Stage]
    checkpoints: Mapping[str, Path]

    @property
    def is_merge(self) -> bool:
        """Whether the stage merges its shards instead of running the task."""
        return self.task.sharding is not None and is_merge(self.cfg[self.task.sharding.section])

    @property
    def kind(self) -> str:
        """The task's name, with `merge` for shards that become one."""
        return f"{self.task.name}/merge" if self.is_merge else self.task.name

    @property
    def run(self) -> Run:
        """What makes the result."""
        return self.task.sharding.merge if self.is_merge and self.task.sharding else self.task.run

    @cached_property
    def key(self) -> str:
        """Hash of everything the result depends on, 12 hexadecimal digits."""
        reads = self.task.reads(self.cfg)
        reads["weights"] = {
            path: path_digest(Path(name)) for path, name in _models(reads) if Path(name).is_dir()
        }
        if self.task.sharding is not None:
            section = self.task.sharding.section
            # A result does not depend on how it is or will be divided into shards.
            for name in ("shard", "num_shards", "costs"):
                del reads[section][name]
            reads |= shard_key(self.cfg[section], self.task.sharding.estimate)
        for name in PLACEMENT:
            reads.get("trainer", {}).pop(name, None)
        needs = {name: stage.key for name, stage in self.needs.items()}
        given = {name: path_digest(path) for name, path in self.checkpoints.items()}
        content = json.dumps([FORMAT, self.kind, reads, needs, given], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:12]

    @property
    def directory(self) -> Path:
        """Where the result is kept."""
        return Path(self.cfg.paths.outputs) / f"{self.cfg.name}-{self.key}"

    @property
    def is_complete(self) -> bool:
        """Whether the result exists."""
        return is_complete(self.directory)


def _models(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The models that are read by name anywhere in a nested value, by path."""
    items = value.items() if isinstance(value, dict) else ()
    for key, inner in items:
        name = f"{path}.{key}" if path else str(key)
        if name.rpartition(".")[2] == _WEIGHTS and isinstance(inner, str):
            yield name, inner
        else:
            yield from _models(inner, name)


def _plain(value: Any) -> Any:
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
