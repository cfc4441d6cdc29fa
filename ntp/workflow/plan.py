"""What has to exist before what: from a config to its stage, with the stages that it needs."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from ntp.config.bounds import check_bounds
from ntp.config.register import compose_config
from ntp.config.root import HANDED_DOWN
from ntp.errors import CheckpointError, ConfigError
from ntp.workflow.shards import check_shards, shard_config
from ntp.workflow.stage import PLACEMENT, Stage
from ntp.workflow.task import Report, task_of


def plan(cfg: DictConfig) -> Stage:
    """The stage that a config asks for, with everything it needs.

    Raises:
        ConfigError: The config cannot work, or something that it needs is named nowhere.
        CheckpointError: A checkpoint given does not exist.
    """
    task = task_of(cfg)
    if isinstance(task, Report):
        raise ConfigError(f"task={task.name} makes nothing: run it without an experiment")
    if task.sharding is not None:
        check_shards(cfg, task.sharding.section)
    check_bounds(cfg)
    task.check(cfg)
    found = Needs(cfg)
    task.needs(found)
    stage = Stage(task, cfg, found.stages, found.checkpoints)
    if stage.is_merge and task.sharding is not None:
        section = task.sharding.section
        for index in range(cfg[section].num_shards):
            found.stages[f"shard/{index}"] = plan(shard_config(cfg, section, index))
    return stage


class Needs:
    """What a stage needs: other stages, or checkpoints given in their place, by role.

    Args:
        cfg: The config of the stage.

    Attributes:
        stages: Stages added so far.
        checkpoints: Directories added so far.
    """

    def __init__(self, cfg: DictConfig) -> None:
        self.cfg = cfg
        self.stages: dict[str, Stage] = {}
        self.checkpoints: dict[str, Path] = {}

    def add(self, role: str, overrides: Sequence[str], **sections: Any) -> None:
        """Add a stage of another experiment.

        It gets this stage's values of the sections in `ntp.config.root.HANDED_DOWN`, so that `model=llemma7b`
        on one command reaches every stage; options that `overrides` name are as they say.

        Args:
            role: The name under which the task finds its directory.
            overrides: Of the command line that would make it.
            sections: Sections of its config that are replaced.
        """
        other = _prerequisite(self.cfg, overrides)
        for path, section in sections.items():
            other[path] = section
        self.stages[role] = plan(other)

    def add_from(
        self, source: DictConfig, role: str, key: str, overrides: Sequence[str] = (), **sections: Any
    ) -> None:
        """Add what `source` names: a checkpoint or an experiment.

        Args:
            source: A part of the config with the options `checkpoint`, `experiment` and maybe `overrides`.
            role: The name under which the task finds its directory.
            key: Where `source` is in the config, for messages.
            overrides: Further overrides of the experiment.
            sections: Sections of its config that are replaced.

        Raises:
            ConfigError: `source` names neither.
            CheckpointError: The checkpoint is no directory.
        """
        if source.checkpoint is not None:
            self.checkpoints[role] = _existing(source.checkpoint, key)
        elif source.experiment is None:
            raise ConfigError(f"{key}: give checkpoint=PATH or experiment=NAME")
        else:
            own = source.get("overrides") or ()
            self.add(role, [f"+experiment={source.experiment}", *own, *overrides], **sections)


def composed(overrides: Sequence[str]) -> DictConfig:
    """The config of an experiment, not to be changed: one config is kept for each list of overrides."""
    return _composed(tuple(overrides))


@cache
def _composed(overrides: tuple[str, ...]) -> DictConfig:
    # Composing takes tenths of a second, and the arms of a study need many of the same stages.
    return compose_config(overrides)


def _prerequisite(cfg: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """The config of another experiment, with the sections that are handed down."""
    other = copy.deepcopy(composed(overrides))
    given = [o for o in OverridesParser.create().parse_overrides(list(overrides)) if not o.is_delete()]
    chosen = {override.key_or_group for override in given}
    for path in (*HANDED_DOWN, *(f"trainer.{name}" for name in PLACEMENT)):
        if path in chosen:
            continue
        OmegaConf.update(other, path, OmegaConf.select(cfg, path), merge=False, force_add=True)
        for override in given:
            if override.key_or_group.startswith(f"{path}."):
                OmegaConf.update(other, override.key_or_group, override.value(), force_add=True)
    return other


def _existing(checkpoint: str, key: str) -> Path:
    path = Path(checkpoint)
    if not path.is_dir():
        raise CheckpointError(
            f"{key}.checkpoint={checkpoint} is not a directory: give the output directory of a training run"
        )
    return path
