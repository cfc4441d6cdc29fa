"""Long work on theorems in shards: which theorems each shard has, and how the shards become one again.

What a search finds depends on its theorem and the seeds alone, so what is merged equals what one run makes
but for wall times. A shard is a run of neighbours, since neighbours share a file, which is loaded once.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol, TypeVar

from ntp.errors import ConfigError, DataError


class OfTheorem(Protocol):
    """A record of what was made of one theorem, by its id."""

    @property
    def theorem(self) -> str: ...  # noqa: D102


R = TypeVar("R", bound=OfTheorem)


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

    def of(self, costs: Sequence[float]) -> slice:
        """Which theorems the shard has.

        Args:
            costs: What each theorem is expected to cost, in any unit, in the order of the theorems.

        Raises:
            ConfigError: There are more shards than theorems.
        """
        positions = cut(costs, self.count)
        return slice(positions[self.index], positions[self.index + 1])


def cut(costs: Sequence[float], count: int) -> list[int]:
    """Cut a sequence into runs of nearly equal cost, none of them empty.

    The cuts lie where the cumulated cost passes each `count`-th of the whole, so a run costs at most a
    `count`-th and half of what the theorems at its ends cost, but where a theorem costs more than a run.

    Args:
        costs: N costs above 0.
        count: How many runs.

    Returns:
        `count` + 1 positions, from 0 to N.

    Raises:
        ConfigError: There are more runs than theorems.
    """
    if count > len(costs):
        raise ConfigError(f"{count} shards for {len(costs)} theorems: choose fewer")
    ends = list(accumulate(costs))
    middles = [end - cost / 2 for end, cost in zip(ends, costs, strict=True)]
    positions = [0]
    for index in range(1, count):
        fair = bisect_left(middles, ends[-1] * index / count)
        positions.append(min(max(fair, positions[-1] + 1), len(costs) - (count - index)))
    return [*positions, len(costs)]


def merge_shards(theorem_ids: Sequence[str], parts: Iterable[Iterable[R]]) -> list[R]:
    """The records of all shards, one of each theorem, in the order of the theorems.

    Raises:
        DataError: A theorem is missing, occurs twice, or was not asked for.
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
                f"shards do not make a whole: {len(names)} theorems {what} (first: {min(names)}); "
                "remove their directories and run again"
            )
    by_id = {record.theorem: record for record in records}
    return [by_id[name] for name in theorem_ids]
