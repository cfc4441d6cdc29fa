"""Tasks that can be cut into shards, an evaluation or mining, and what their configs say of it.

A section of the config has `shard`, the one to make, or `num_shards`, to merge them all. A command may give
both, so that a sweep over the shards and the merge differ in nothing else.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from ntp.data.records import TheoremRecord
from ntp.errors import ConfigError
from ntp.evaluation.costs import ESTIMATE, expected_costs, recorded_costs
from ntp.tasks.sources import path_digest
from ntp.workflow.shards import Shard

# By task, the section of the config.
SECTIONS = {"evaluate": "evaluation", "mine": "mining"}


def is_merge(cfg: DictConfig) -> bool:
    """Whether all shards are asked for, merged."""
    section = SECTIONS.get(cfg.task.name)
    return section is not None and cfg[section].num_shards is not None and cfg[section].shard is None


def check_shards(cfg: DictConfig) -> None:
    """Raise `ConfigError` if what the config says of shards cannot be."""
    section = SECTIONS.get(cfg.task.name)
    if section is None:
        return
    shard, num_shards, costs = (cfg[section][key] for key in ("shard", "num_shards", "costs"))
    if num_shards is not None and num_shards < 1:
        raise ConfigError(f"{section}.num_shards={num_shards}: there is at least 1")
    if shard is not None and num_shards not in (None, Shard.parse(shard).count):
        raise ConfigError(
            f"{section}.shard={shard} is no shard of {section}.num_shards={num_shards}: leave one of them out"
        )
    if costs is not None and not Path(costs).is_dir():
        raise ConfigError(f"{section}.costs={costs} is no directory: give that of an earlier run of the task")


def shard_config(cfg: DictConfig, index: int) -> DictConfig:
    """The config of one shard of a merge: what `shard=i/n` on the command line makes."""
    other = copy.deepcopy(cfg)
    options = other[SECTIONS[cfg.task.name]]
    options.shard = f"{index}/{options.num_shards}"
    return other


def shard_key(options: DictConfig) -> dict[str, Any]:
    """What the theorems of a shard depend on, beside the theorems."""
    if options.shard is None:
        return {}
    costs = ESTIMATE if options.costs is None else path_digest(Path(options.costs))
    return {"shard": options.shard, "costs": costs}


def shard_of(cfg: DictConfig, records: Sequence[TheoremRecord]) -> slice:
    """Which theorems are to be worked on: all, or those of the shard.

    Args:
        cfg: Of an evaluation or of mining.
        records: All theorems, neighbours beside one another.

    Raises:
        ConfigError: There are more shards than theorems.
        DataError: The recorded costs are of other theorems.
    """
    options = cfg[SECTIONS[cfg.task.name]]
    if options.shard is None:
        return slice(None)
    costs = expected_costs(records, num_tactics(cfg))
    if options.costs is not None:
        costs = recorded_costs(Path(options.costs), records, costs)
    return Shard.parse(options.shard).of(costs)


def num_tactics(cfg: DictConfig) -> int:
    """How many tactics the searches of a task draw for a theorem, about: most samples stop at their first."""
    searches = cfg.search if cfg.task.name == "evaluate" else cfg.mining
    num_tactics = 1
    if "sampling" in searches:
        num_tactics += searches.sampling.num_samples
    if "best_first" in searches:
        num_tactics += searches.best_first.max_expansions * searches.best_first.samples_per_expansion
    return num_tactics
