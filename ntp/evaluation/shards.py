"""An evaluation in parts: which theorems each part has, and how their results become one again.

What a search finds depends on its theorem and the seeds alone, so merged results equal those of one run but
for wall times.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ntp.errors import ConfigError, DataError
from ntp.evaluation.results import TheoremResult
from ntp.types import Theorem


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `index` of `count`, counted from 0."""

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
            raise ConfigError(f"evaluation.shard={text}: give i/n with i from 0 to n - 1, as 0/8")
        return Shard(int(found[1]), int(found[2]))

    def select(self, theorems: Sequence[Theorem]) -> list[Theorem]:
        """The theorems of this part: a slice, since neighbours share a file, which is loaded once.

        Raises:
            ConfigError: There are more parts than theorems.
        """
        if self.count > len(theorems):
            raise ConfigError(f"{self.count} shards for {len(theorems)} theorems: choose fewer")
        begin, end = (len(theorems) * i // self.count for i in (self.index, self.index + 1))
        return list(theorems[begin:end])


def merge_results(
    theorems: Sequence[Theorem], parts: Sequence[Sequence[TheoremResult]]
) -> list[TheoremResult]:
    """One method's results of all parts, in the order of the theorems.

    Raises:
        DataError: A theorem is missing, occurs twice, or was not asked for.
    """
    results = {result.theorem: result for part in parts for result in part}
    counts = Counter(result.theorem for part in parts for result in part)
    wanted = {theorem.id for theorem in theorems}
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
    return [results[theorem.id] for theorem in theorems]
