"""Stages: what has to exist before what, and where each one's result is kept.

A stage is one task on one config. Its directory is named by a hash of everything its result depends on: the
parts of the config that its task reads, the version of what tasks write, and the keys of the stages it needs.
So a stage is made once, a changed option makes only what depends on it again, and a run that was killed finds
its own directory again.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from ntp.config.register import compose_config
from ntp.errors import CheckpointError, ConfigError
from ntp.tasks.data import verifier_side
from ntp.tasks.searches import priority_weights
from ntp.tracking.run_dir import is_complete

# Raised by whoever changes what a task writes or means, so that older results are not taken for new ones.
FORMAT = 3

# What the result of a task depends on.
_SOURCE = ("data.include", "data.exclude", "env.root", "env.load_paths", "env.coqidetop")
_LEARNING = (*_SOURCE, "data.split", "seed", "model", "module", "optimizer", "trainer")
_READS = {
    "extract": _SOURCE,
    "sft": _LEARNING,
    "gfn": (*_LEARNING, "env", "loss", "reward"),
    "mine": (*_SOURCE, "data.split", "seed", "model", "env", "mining"),
    "verifier": (*_LEARNING, "loss"),
    "retriever": (*_LEARNING, "loss"),
    "evaluate": (*_SOURCE, "data.split", "seed", "model", "env", "search", "evaluation"),
    "verifier_eval": ("seed", "study"),
    "retrieval_eval": (*_SOURCE, "data.split"),
    "overoptimisation": ("study",),
}
# And where premises are retrieved; the dense retriever itself is a stage that is needed.
_RETRIEVAL = tuple(
    f"retrieval.{key}" for key in ("name", "num_premises", "max_bytes", "k1", "b", "name_or_path")
)
_RETRIEVING = ("sft", "evaluate", "retrieval_eval")
# What a stage hands down to the stages it needs, so that `model=llemma7b` on one command reaches all of them.
_SHARED = ("seed", "paths", "data", "env", "model", "adapter", "retrieval", "mining", "tracking.uri")


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
        """The task's name; for training, the module's."""
        return _kind(self.cfg)

    @cached_property
    def key(self) -> str:
        """Hash of everything the result depends on."""
        paths = list(_READS[self.kind])
        if self.kind == "evaluate" and "verifier" in (*self.needs, *self.checkpoints):
            paths.append("aggregation")
        if self.kind in _RETRIEVING and self.cfg.retrieval.name != "none":
            paths += _RETRIEVAL
        reads = {path: _plain(OmegaConf.select(self.cfg, path)) for path in paths}
        needs = {name: stage.key for name, stage in self.needs.items()}
        given = {name: _digest(path) for name, path in self.checkpoints.items()}
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


def plan(cfg: DictConfig) -> Stage:
    """The stage that a config asks for, with everything it needs.

    Raises:
        ConfigError: A policy comes from nowhere.
        CheckpointError: A checkpoint given does not exist.
    """
    needs: dict[str, Stage] = {}
    checkpoints: dict[str, Path] = {}

    def need(name: str, source: DictConfig, key: str, overrides: Sequence[str] = (), **sections: Any) -> None:
        if source.checkpoint is not None:
            checkpoints[name] = _existing(source.checkpoint, key)
            return
        if source.experiment is None:
            raise ConfigError(f"{key}: give checkpoint=PATH or experiment=NAME")
        other = _prerequisite(cfg, [f"+experiment={source.experiment}", *overrides])
        for path, section in sections.items():
            other[path] = section
        needs[name] = plan(other)

    def need_verifier(source: DictConfig) -> None:
        need("backbone", source.backbone, "verifier.backbone")
        need("verifier", source, "verifier", source.overrides, policy=source.backbone)

    def need_attempts(name: str, *sides: str) -> None:
        mining = _prerequisite(cfg, ["+experiment=mine_attempts"])
        mining.policy = cfg.policy  # attempts of the policy that the verifier sits on
        mining.mining.sides = list(sides)
        needs[name] = plan(mining)

    def need_retriever(source: DictConfig) -> None:
        if source.name != "dense" or source.name_or_path is not None:
            return
        # Its model is its own experiment's, not that of the policy which reads what it retrieves.
        overrides = source.overrides
        own = _composed((f"+experiment={source.experiment}", *overrides)) if source.experiment else cfg
        need("retriever", source, "retrieval", overrides, model=own.model)

    kind = _kind(cfg)
    _check_early(cfg, kind)
    if kind in ("sft", "gfn", "verifier", "mine", "evaluate", "retriever", "retrieval_eval"):
        needs["dataset"] = plan(_prerequisite(cfg, ["+experiment=extract_coq"]))
    if kind in ("gfn", "verifier", "mine", "verifier_eval"):
        need("policy", cfg.policy, "policy")
    if kind in ("verifier", "verifier_eval"):
        need_attempts("attempts", verifier_side(cfg), "val")
    if kind == "verifier_eval":
        need_attempts("test_attempts", "test")
    if kind == "gfn" and "aggregation" in cfg.reward:
        need_verifier(cfg.verifier)
    if kind in _RETRIEVING:
        need_retriever(cfg.retrieval)
    if kind == "evaluate":
        for name, source in cfg.evaluation.policies.items():
            need(f"policy/{name}", source, f"evaluation.policies.{name}")
        if cfg.search.score != "policy":
            need_verifier(cfg.verifier)
    if kind in ("verifier_eval", "overoptimisation"):
        for name, overrides in cfg.study.variants.items():
            for seed in cfg.study.seeds:
                needs[f"{name}/{seed}"] = plan(_variant(cfg, overrides, seed))
    return Stage(cfg, needs, checkpoints)


def _kind(cfg: DictConfig) -> str:
    return cfg.module.name if cfg.task.name == "train" else cfg.task.name


def _check_early(cfg: DictConfig, kind: str) -> None:
    """Raise what the task would raise, before hours are spent on what it needs."""
    if kind == "gfn":
        instantiate(cfg.reward)
    if kind == "evaluate":
        priority_weights(cfg.search)
    if kind in ("gfn", "mine", "verifier") and cfg.retrieval.name != "none":
        raise ConfigError(
            f"{kind} does not read premises: give retrieval=none in place of {cfg.retrieval.name}"
        )


def _prerequisite(cfg: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """The config of another experiment on the same data, environment and model."""
    other = copy.deepcopy(_composed(tuple(overrides)))
    for path in _SHARED:
        OmegaConf.update(other, path, OmegaConf.select(cfg, path), merge=False, force_add=True)
    return other


@cache
def _composed(overrides: tuple[str, ...]) -> DictConfig:
    """The config of an experiment: composing is slow, and runs of a study share most of what they need."""
    return compose_config(overrides)


def _variant(cfg: DictConfig, overrides: Sequence[str], seed: int) -> DictConfig:
    """The config of a run of a study. The seed is its own and its verifier's, not its policy's."""
    other = _prerequisite(cfg, [*overrides, f"module.seed={seed}"])
    other.verifier.overrides.append(f"module.seed={seed}")
    other.policy = other.verifier.backbone = cfg.policy
    return other


def _existing(checkpoint: str, key: str) -> Path:
    path = Path(checkpoint)
    if not path.is_dir():
        raise CheckpointError(
            f"{key}.checkpoint={checkpoint} is not a directory: give the output directory of a training run"
        )
    return path


def _plain(value: Any) -> Any:
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def _digest(directory: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(p for p in directory.rglob("*") if p.is_file()):
        digest.update(path.relative_to(directory).as_posix().encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
