"""What has to exist before what: from a config to its stage, with the stages that it needs."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from ntp.config.register import compose_config
from ntp.errors import CheckpointError, ConfigError
from ntp.tasks.choices import priority_weights, verifier_side
from ntp.tasks.shards import SECTIONS, check_shards, shard_config
from ntp.tasks.sources import extraction, require_prover
from ntp.workflow.stage import PLACEMENT, RETRIEVING, Stage, kind_of

# What a stage hands down to the stages it needs, so that `model=llemma7b` on one command reaches all of them.
_SHARED = (
    *("seed", "paths", "data", "env", "model", "adapter", "retrieval", "mining"),
    *("tracking.uri", "tracking.experiment", "tracking.max_adapter_mb"),
    *(f"trainer.{name}" for name in PLACEMENT),
)
_STUDIES = ("verifier_eval", "overoptimisation")


def plan(cfg: DictConfig) -> Stage:
    """The stage that a config asks for, with everything it needs.

    Raises:
        ConfigError: A policy comes from nowhere, or the config cannot work.
        CheckpointError: A checkpoint given does not exist.
    """
    kind = kind_of(cfg)
    _check_early(cfg, kind)
    found = _Needs(cfg)
    if kind not in ("extract", *_STUDIES):
        found.add("dataset", [f"+experiment={extraction(cfg)}"])
    if kind in ("gfn", "verifier", "mine", "verifier_eval"):
        found.add_from(cfg.policy, "policy", "policy")
    if kind in ("verifier", "verifier_eval"):
        found.add_attempts("attempts", verifier_side(cfg), "val")
    if kind == "verifier_eval":
        found.add_attempts("test_attempts", "test")
    if kind == "gfn" and "aggregation" in cfg.reward:
        found.add_verifier()
    if kind in RETRIEVING:
        found.add_retrieval()
    if kind == "evaluate":
        for name, source in cfg.evaluation.policies.items():
            found.add_from(source, f"policy/{name}", f"evaluation.policies.{name}")
        if cfg.search.score != "policy":
            found.add_verifier()
    if kind == "merge":
        num_shards = cfg[SECTIONS[cfg.task.name]].num_shards
        for index in range(num_shards):
            found.stages[f"shard/{index}"] = plan(shard_config(cfg, index))
    if kind in _STUDIES:
        for name, overrides in cfg.study.variants.items():
            for seed in cfg.study.seeds:
                found.stages[f"{name}/{seed}"] = plan(_variant(cfg, overrides, seed))
    return Stage(cfg, found.stages, found.checkpoints)


class _Needs:
    """What the stage of a config needs: other stages, or checkpoints given in their place, by role."""

    def __init__(self, cfg: DictConfig) -> None:
        self.cfg = cfg
        self.stages: dict[str, Stage] = {}
        self.checkpoints: dict[str, Path] = {}

    def add(self, role: str, overrides: Sequence[str], **sections: Any) -> None:
        """A stage of another experiment, with some sections of its config replaced."""
        other = _prerequisite(self.cfg, overrides)
        for path, section in sections.items():
            other[path] = section
        self.stages[role] = plan(other)

    def add_from(
        self, source: DictConfig, role: str, key: str, overrides: Sequence[str] = (), **sections: Any
    ) -> None:
        """What `source`, the part of the config at `key`, names: a checkpoint or an experiment."""
        if source.checkpoint is not None:
            self.checkpoints[role] = _existing(source.checkpoint, key)
        elif source.experiment is None:
            raise ConfigError(f"{key}: give checkpoint=PATH or experiment=NAME")
        else:
            self.add(role, [f"+experiment={source.experiment}", *overrides], **sections)

    def add_attempts(self, role: str, *sides: str) -> None:
        """Attempts on some sides of the split, of the policy that the verifier sits on."""
        if self.cfg.mining.shard is not None:
            raise ConfigError("mining.shard mines only a part: leave it out, or merge with mining.num_shards")
        mining = copy.deepcopy(self.cfg.mining)
        mining.sides = list(sides)
        self.add(role, ["+experiment=mine_attempts"], policy=self.cfg.policy, mining=mining)

    def add_verifier(self) -> None:
        """An ensemble of verifiers and the policy that it sits on."""
        source = self.cfg.verifier
        self.add_from(source.backbone, "backbone", "verifier.backbone")
        self.add_from(source, "verifier", "verifier", source.overrides, policy=source.backbone)

    def add_retrieval(self) -> None:
        """The premises, where they are not the data's own, and a dense retriever that is trained on them.

        Its model is its own, not that of the policy which reads.
        """
        source = self.cfg.retrieval
        if source.name == "none":
            return
        data = self.cfg.data
        if source.corpus is not None:
            data = _benchmark(source.corpus)
            self.add("corpus", [f"+experiment={extraction(self.cfg)}"], data=data)
        if source.name != "dense" or source.name_or_path is not None:
            return
        own = self.cfg
        if source.experiment is not None:
            own = _composed((f"+experiment={source.experiment}", *source.overrides))
        self.add_from(source, "retriever", "retrieval", source.overrides, model=own.model, data=data)


def _check_early(cfg: DictConfig, kind: str) -> None:
    """Raise what the task would raise, before hours are spent on what it needs."""
    if kind in ("gfn", "mine", "evaluate"):
        require_prover(cfg)
    if kind == "gfn":
        instantiate(cfg.reward)
    if kind == "evaluate":
        priority_weights(cfg.search)
    check_shards(cfg)
    if kind == "retrieval_eval" and cfg.retrieval.name != "dense":
        raise ConfigError("retrieval_eval measures BM25 and the dense retriever: leave retrieval=dense")
    if cfg.retrieval.corpus is not None and (kind == "retrieval_eval" or cfg.data.source == "coq"):
        raise ConfigError(
            "retrieval.corpus lends a benchmark's premises to other Lean theorems: leave it out here, where "
            "the data has its own"
        )
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


def _benchmark(folder: str) -> DictConfig:
    """The `data` section of a LeanDojo Benchmark."""
    if not Path(folder).is_dir():
        raise ConfigError(
            f"retrieval.corpus={folder} is no directory: give the folder of a LeanDojo Benchmark"
        )
    data = copy.deepcopy(_composed(("+experiment=extract_lean", "data=leandojo"))).data
    data.path = folder
    return data


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
