"""Stages: what a result depends on, and where it is kept. `ntp.workflow.plan` says what a stage needs.

A stage is one task on one config. Its directory is named by a hash of everything its result depends on: the
parts of the config that its task reads, the version of what tasks write, and the keys of the stages it needs.
So a stage is made once, a changed option makes only what depends on it again, and a run that was killed finds
its own directory again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from ntp.tasks.shards import SECTIONS, is_merge, shard_key
from ntp.tasks.sources import path_digest, plain, source_key
from ntp.tracking.run_dir import is_complete

# Raised by whoever changes what a task writes or means, so that older results are not taken for new ones.
FORMAT = 4

# Where a trainer computes, which changes its results by rounding at most.
PLACEMENT = ("accelerator", "devices", "num_nodes", "strategy")

# What the result of a task depends on.
_LEARNING = ("data.split", "seed", "model", "module", "optimizer", "trainer")
READS = {
    "extract": (),
    "statistics": ("data.split",),
    "sft": _LEARNING,
    "gfn": (*_LEARNING, "env", "loss", "reward"),
    "mine": ("data.split", "seed", "model", "env", "mining"),
    "verifier": (*_LEARNING, "loss"),
    "retriever": (*_LEARNING, "loss"),
    "evaluate": ("data.split", "seed", "model", "env", "search", "evaluation"),
    "merge": ("data.split",),
    "verifier_eval": ("seed", "study"),
    "retrieval_eval": ("data.split",),
    "overoptimisation": ("study",),
}
# And where premises are retrieved; the dense retriever itself is a stage that is needed.
_RETRIEVAL = tuple(
    f"retrieval.{key}" for key in ("name", "num_premises", "max_bytes", "k1", "b", "name_or_path")
)
RETRIEVING = ("sft", "evaluate", "retrieval_eval")


@dataclass(frozen=True)
class Stage:
    """One task on one config, with the stages it needs.

    Attributes:
        cfg: The whole config.
        needs: By the name the task knows them under.
        checkpoints: Directories given by the user in place of a stage.
    """

    cfg: DictConfig
    needs: Mapping[str, Stage]
    checkpoints: Mapping[str, Path]

    @property
    def kind(self) -> str:
        """The task's name; for training the module's, and `merge` for shards that become one."""
        return kind_of(self.cfg)

    @cached_property
    def key(self) -> str:
        """Hash of everything the result depends on."""
        paths = list(READS[self.kind])
        if self.kind == "evaluate" and "verifier" in (*self.needs, *self.checkpoints):
            paths.append("aggregation")
        if self.kind in RETRIEVING and self.cfg.retrieval.name != "none":
            paths += _RETRIEVAL
        section = SECTIONS.get(self.cfg.task.name)
        if self.kind == "merge" and section is not None:
            paths.append(section)
        reads = {path: plain(OmegaConf.select(self.cfg, path)) for path in paths}
        if section is not None:
            # A result is the same whatever its shards are and will be.
            for name in ("shard", "num_shards", "costs"):
                del reads[section][name]
            reads |= shard_key(self.cfg[section])
        if self.kind == "extract":
            reads |= source_key(self.cfg)
        reads["weights"] = {
            path: path_digest(Path(name)) for path, name in _names(self.cfg, paths) if Path(name).is_dir()
        }
        for name in PLACEMENT:
            reads.get("trainer", {}).pop(name, None)
        if section == "mining":
            # How many theorems of the other sides would be mined is no matter here.
            wanted = reads["mining"]["num_theorems"]
            reads["mining"]["num_theorems"] = {side: wanted.get(side) for side in self.cfg.mining.sides}
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
        """Whether the result is there."""
        return is_complete(self.directory)


def _names(cfg: DictConfig, paths: list[str]) -> list[tuple[str, str]]:
    """The models that are read by name, which may be a directory whose content counts."""
    named = [path if path.endswith(".name_or_path") else f"{path}.name_or_path" for path in paths]
    found = [(path, OmegaConf.select(cfg, path)) for path in named]
    return [(path, name) for path, name in found if isinstance(name, str)]


def kind_of(cfg: DictConfig) -> str:
    """The kind of the stage that a config asks for."""
    if is_merge(cfg):
        return "merge"
    return cfg.module.name if cfg.task.name == "train" else cfg.task.name
