"""What theorems are expected to cost, known before they are searched, so that shards can be made even."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from ntp.data.attempts import MinedTheorem
from ntp.data.jsonl import read_jsonl
from ntp.data.records import TheoremRecord
from ntp.errors import DataError
from ntp.evaluation.results import TheoremResult

# Names the estimate: raised when it changes, so that shards cut by another are not merged with these.
ESTIMATE = 1


def expected_costs(records: Sequence[TheoremRecord]) -> list[float]:
    """What each theorem is expected to cost, in units of a search.

    Args:
        records: N theorems.
    """
    return [1.0 for record in records]


def recorded_costs(
    directory: Path, records: Sequence[TheoremRecord], expected: Sequence[float]
) -> list[float]:
    """What each theorem cost in an earlier evaluation or mining run, all methods together, in seconds.

    Args:
        directory: That run's.
        records: N theorems.
        expected: Their expected costs: theorems without a record are charged with these, brought to seconds.

    Raises:
        DataError: The run recorded none of the theorems.
    """
    seconds: defaultdict[str, float] = defaultdict(float)
    for path in sorted(directory.glob("results-*.jsonl")):
        for result in read_jsonl(path, TheoremResult):
            seconds[result.theorem] += result.wall_s
    for path in sorted(directory.glob("parts/mined-*.jsonl")):
        for mined in read_jsonl(path, MinedTheorem):
            seconds[mined.theorem] += mined.wall_s
    costs = [seconds.get(record.theorem.id, 0.0) for record in records]
    known = [(cost, guess) for cost, guess in zip(costs, expected, strict=True) if cost > 0]
    if not known:
        raise DataError(f"{directory}: recorded no time of these {len(records)} theorems; leave costs out")
    scale = sum(cost for cost, _ in known) / sum(guess for _, guess in known)
    return [cost or scale * guess for cost, guess in zip(costs, expected, strict=True)]
