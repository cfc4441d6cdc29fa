"""Divides long work on theorems into shards, and merges their results.

The result of a search depends only on its theorem and the seeds, so merged results equal those of one run
except for wall times. A shard is a range of consecutive theorems, since they share files, which are loaded
once.

A section of the config has `shard`, the shard to run, or `num_shards`, to merge all of them. A command may
give both, so that a sweep over the shards and the merge differ in nothing else.
"""

from __future__ import annotations

import copy
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from omegaconf import DictConfig

from ntp.errors import ConfigError, DataError
from ntp.workflow.digest import path_digest

_NUM_HALVINGS = 50


class OfTheorem(Protocol):
    """A record of the results of one theorem, by its id."""

    @property
    def theorem(self) -> str: ...  # noqa: D102


R = TypeVar("R", bound=OfTheorem)


@dataclass(frozen=True, slots=True)
class Cost:
    """Expected cost of a theorem, in any unit.

    Attributes:
        search: Cost of its search once it is open, above 0.
        file: Its source file.
        replay: Cost of replaying the file up to it. Provers visit theorems last to first, so a shard has this
            cost only for the last theorem of each file.
    """

    search: float
    file: str = ""
    replay: float = 0.0


@dataclass(frozen=True, slots=True)
class Shard:
    """Shard `index` of `count`, counted from 0."""

    index: int
    count: int

    @staticmethod
    def parse(text: str) -> Shard:
        """Read `i/n`.

        Raises:
            ConfigError: It is something else.
        """
        found = re.fullmatch(r"(\d+)/(\d+)", text)
        if not found or int(found[1]) >= int(found[2]):
            raise ConfigError(
                f"shard={text}: give i/n with i from 0 to n - 1, as 0/8, or for a sweep num_shards=n"
            )
        return Shard(int(found[1]), int(found[2]))

    def of(self, costs: Sequence[Cost]) -> slice:
        """The theorems of the shard.

        Args:
            costs: Expected cost of each theorem, in order; the theorems of a file are consecutive.

        Raises:
            ConfigError: There are more shards than theorems.
        """
        positions = cut(costs, self.count)
        return slice(positions[self.index], positions[self.index + 1])


def cut(costs: Sequence[Cost], count: int) -> list[int]:
    """Divide a sequence into non-empty ranges so that the maximum cost of a range is minimal.

    The cost of a range is that of its theorems' searches plus, for every file, the replay up to its last
    theorem.

    Args:
        costs: N costs.
        count: Number of ranges.

    Returns:
        `count` + 1 positions, from 0 to N.

    Raises:
        ConfigError: There are more ranges than theorems.
    """
    if count > len(costs):
        raise ConfigError(f"{count} shards for {len(costs)} theorems: choose fewer")
    ends, spared = _cumulated(costs)
    # The maximum is at least the cost of the costliest theorem, and at most the cost of all.
    low, high = max(cost.search + cost.replay for cost in costs), ends[-1]
    for _ in range(_NUM_HALVINGS):
        middle = (low + high) / 2
        if _fill(ends, spared, count, middle)[-1] == len(costs):
            high = middle
        else:
            low = middle
    return _fill(ends, spared, count, high)


def _cumulated(costs: Sequence[Cost]) -> tuple[list[float], list[float]]:
    """`ends` and `spared` such that the cost of the range from a to b is `ends[b] - ends[a] + spared[a]`.

    `ends` counts for each theorem the replay from the one before; a range that starts within a file also
    replays the part before its first theorem.
    """
    ends, spared, file, replayed = [0.0], [], None, 0.0
    for cost in costs:
        if cost.file != file:
            file, replayed = cost.file, 0.0
        further = max(replayed, cost.replay)
        spared.append(replayed)
        ends.append(ends[-1] + cost.search + further - replayed)
        replayed = further
    return ends, spared


def _fill(ends: Sequence[float], spared: Sequence[float], count: int, limit: float) -> list[int]:
    """Positions of non-empty ranges, each as long as a limit allows; they end early if it is too low."""
    positions = [0]
    for left in reversed(range(count)):
        begin = positions[-1]
        end = bisect_right(ends, ends[begin] - spared[begin] + limit) - 1
        positions.append(min(max(end, begin + 1), len(spared) - left))
    return positions


def merge_shards(theorem_ids: Sequence[str], parts: Iterable[Iterable[R]]) -> list[R]:
    """The records of all shards, one of each theorem, in the order of the theorems.

    Raises:
        DataError: A theorem is missing, occurs twice, or is not in `theorem_ids`.
    """
    records = [record for part in parts for record in part]
    counts = Counter(record.theorem for record in records)
    wanted = set(theorem_ids)
    for what, names in (
        ("missing", wanted - counts.keys()),
        ("double", {name for name, count in counts.items() if count > 1}),
        ("not asked for", counts.keys() - wanted),
    ):
        if names:
            raise DataError(
                f"the shards are inconsistent: {len(names)} theorems {what} (first: {min(names)}); "
                "remove their directories and run again"
            )
    by_id = {record.theorem: record for record in records}
    return [by_id[name] for name in theorem_ids]


def is_merge(options: DictConfig) -> bool:
    """Whether a config asks for all shards, merged.

    Args:
        options: Section of the config with the options of sharding.
    """
    return options.num_shards is not None and options.shard is None


def check_shards(cfg: DictConfig, section: str) -> None:
    """Raise `ConfigError` if the options of sharding contradict each other or name no directory."""
    shard, num_shards, costs = (cfg[section][key] for key in ("shard", "num_shards", "costs"))
    if num_shards is not None and num_shards < 1:
        raise ConfigError(f"{section}.num_shards={num_shards} must be at least 1")
    if shard is not None and num_shards not in (None, Shard.parse(shard).count):
        raise ConfigError(
            f"{section}.shard={shard} contradicts {section}.num_shards={num_shards}: leave one of them out"
        )
    if costs is not None and not Path(costs).is_dir():
        raise ConfigError(f"{section}.costs={costs} is not a directory: give that of an earlier run")


def shard_config(cfg: DictConfig, section: str, index: int) -> DictConfig:
    """The config of one shard of a merge, as with `SECTION.shard=INDEX/NUM` on the command line."""
    other = copy.deepcopy(cfg)
    other[section].shard = f"{index}/{cfg[section].num_shards}"
    return other


def shard_key(options: DictConfig, estimate: int) -> dict[str, Any]:
    """The part of a stage's key that the choice of a shard's theorems depends on, besides the theorems.

    Args:
        options: Section of the config with the options of sharding.
        estimate: Version of the cost estimate.
    """
    if options.shard is None:
        return {}
    costs = estimate if options.costs is None else path_digest(Path(options.costs))
    return {"shard": options.shard, "costs": costs}
