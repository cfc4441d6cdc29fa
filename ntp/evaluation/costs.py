"""What theorems are expected to cost, known before they are searched, so that shards can be made even."""

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

# Names the estimate: raised when it changes, so that shards cut by another are not merged with these.
ESTIMATE = 3

# Fitted to what `experiments/bench/record_costs.py` recorded: a policy of a few million parameters, on a CPU.
# A state of so many characters doubles what a tactic costs: more to read, and more for the prover to do.
_STATE_CHARS = 100
# So much of a file is replayed while a tactic is drawn and tried in a state of no length.
_REPLAYED_CHARS = 35
_CHARS_PER_LINE = 40


# Of a run that keeps no other record of its times: merged mining.
TIMES_FILE = "times.jsonl"


@dataclass(frozen=True, slots=True)
class TheoremTime:
    """How long a theorem took.

    Attributes:
        theorem: Its id.
        wall_s: Seconds that are due to it.
    """

    theorem: str
    wall_s: float


def expected_costs(records: Sequence[TheoremRecord], num_tactics: int) -> list[Cost]:
    """What each theorem is expected to cost, in tactics drawn and tried in a short state.

    A theorem that is proved early costs less, which nobody knows before.

    Args:
        records: N theorems.
        num_tactics: How many tactics the search draws for each.
    """
    return [
        expected_cost(record.theorem.file, _depth_chars(record), _state_chars(record), num_tactics)
        for record in records
    ]


def expected_cost(file: str, depth_chars: int, state_chars: int, num_tactics: int) -> Cost:
    """The cost of a theorem at some depth of its file, given how long its first state is."""
    return Cost(num_tactics * (1 + state_chars / _STATE_CHARS), file, depth_chars / _REPLAYED_CHARS)


def recorded_costs(directory: Path, records: Sequence[TheoremRecord], expected: Sequence[Cost]) -> list[Cost]:
    """What each theorem cost in an earlier evaluation or mining run, all methods together, in seconds.

    Replaying its file is in what was recorded of a theorem, and is not charged again.

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
    for path in directory.glob(TIMES_FILE):
        for time in read_jsonl(path, TheoremTime):
            seconds[time.theorem] += time.wall_s
    costs = [seconds.get(record.theorem.id, 0.0) for record in records]
    known = [(cost, guess.search) for cost, guess in zip(costs, expected, strict=True) if cost > 0]
    if not known:
        raise DataError(f"{directory}: recorded no time of these {len(records)} theorems; leave costs out")
    scale = sum(cost for cost, _ in known) / sum(guess for _, guess in known)
    return [Cost(cost or scale * guess.search) for cost, guess in zip(costs, expected, strict=True)]


def _state_chars(record: TheoremRecord) -> int:
    return len(record.steps[0].state) if record.steps else len(record.theorem.statement)


def _depth_chars(record: TheoremRecord) -> int:
    """How many characters of its file stand before a theorem, for Lean about."""
    theorem = record.theorem
    if theorem.context:
        return 0
    if record.prover == "coq":
        return theorem.declaration.begin
    return _CHARS_PER_LINE * unpack_position(theorem.declaration.begin)[0]
