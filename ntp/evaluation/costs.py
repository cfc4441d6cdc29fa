"""Estimates of the cost of searching theorems, by which they are divided evenly among shards."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ntp.data.attempts import MinedTheorem
from ntp.data.records import TheoremRecord
from ntp.envs.lean.positions import unpack_position
from ntp.errors import DataError
from ntp.evaluation.results import TheoremResult
from ntp.jsonl import read_jsonl
from ntp.workflow.shards import Cost

# Version of the estimate, part of a shard's key: shards divided by different versions are not merged.
ESTIMATE = 3

# Fitted to records of `experiments/bench/record_costs.py`, of a policy of a few million parameters on a CPU.
# State length, in characters, at which a tactic costs twice as much as in an empty state: the policy reads
# more, and the prover has more to do.
_STATE_CHARS = 100
# Characters of a file that are replayed in the time that a tactic in an empty state takes.
_REPLAYED_CHARS = 35
_CHARS_PER_LINE = 40

# Times of the theorems of a merged mining run, which keeps no other record of them.
TIMES_FILE = "times.jsonl"


@dataclass(frozen=True, slots=True)
class TheoremTime:
    """How long a theorem took.

    Attributes:
        theorem: Id of the theorem.
        wall_s: Seconds of the search that it used.
    """

    theorem: str
    wall_s: float


def expected_costs(records: Sequence[TheoremRecord], num_tactics: int) -> list[Cost]:
    """Estimate the cost of each theorem, in tactics sampled and tried in an empty state.

    A theorem that is proved early costs less than its estimate.

    Args:
        records: N theorems.
        num_tactics: Number of tactics that the search samples for each theorem.
    """
    return [
        expected_cost(record.theorem.file, _depth_chars(record), _state_chars(record), num_tactics)
        for record in records
    ]


def expected_cost(file: str, depth_chars: int, state_chars: int, num_tactics: int) -> Cost:
    """Estimate the cost of one theorem, in tactics sampled and tried in an empty state.

    Args:
        file: Source file.
        depth_chars: Number of characters before the theorem in its file, which are replayed.
        state_chars: Length of its first state in characters.
        num_tactics: Number of tactics that the search samples.
    """
    return Cost(num_tactics * (1 + state_chars / _STATE_CHARS), file, depth_chars / _REPLAYED_CHARS)


def recorded_costs(directory: Path, records: Sequence[TheoremRecord], expected: Sequence[Cost]) -> list[Cost]:
    """The cost of each theorem in an earlier evaluation or mining run, in seconds over all methods.

    Recorded times include the replay of the file, which is therefore not added again.

    Args:
        directory: Output directory of that run.
        records: N theorems.
        expected: Their estimated costs, which are scaled to seconds for theorems without a recorded time.

    Raises:
        DataError: The run recorded no time of any of the theorems.
    """
    seconds: defaultdict[str, float] = defaultdict(float)
    for path in sorted(directory.glob("results-*.jsonl")):
        for result in read_jsonl(path, TheoremResult):
            seconds[result.theorem] += result.wall_s
    for path in sorted(directory.glob("parts/mined-*.jsonl")):
        for mined in read_jsonl(path, MinedTheorem):
            seconds[mined.theorem] += mined.wall_s
    for path in directory.glob(TIMES_FILE):
        for time in read_jsonl(path, TheoremTime):
            seconds[time.theorem] += time.wall_s
    costs = [seconds.get(record.theorem.id, 0.0) for record in records]
    known = [(cost, guess.search) for cost, guess in zip(costs, expected, strict=True) if cost > 0]
    if not known:
        raise DataError(
            f"{directory} has no recorded time of any of the {len(records)} theorems: "
            "set `costs` to a run on these theorems, or to null"
        )
    scale = sum(cost for cost, _ in known) / sum(guess for _, guess in known)
    return [Cost(cost or scale * guess.search) for cost, guess in zip(costs, expected, strict=True)]


def _state_chars(record: TheoremRecord) -> int:
    return len(record.steps[0].state) if record.steps else len(record.theorem.statement)


def _depth_chars(record: TheoremRecord) -> int:
    """Number of characters before a theorem in its file; for Lean estimated from the number of lines."""
    theorem = record.theorem
    if theorem.context:
        return 0
    if record.prover == "coq":
        return theorem.declaration.begin
    return _CHARS_PER_LINE * unpack_position(theorem.declaration.begin)[0]
