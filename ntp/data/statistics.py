"""Statistics of a data set: sizes, lengths and irregularities to know before training on it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ntp.data.dataset import Dataset
from ntp.data.records import PremiseUse, TheoremRecord
from ntp.data.splits import Split, statement_key

SPLITS = ("train", "verifier", "val", "test")

# The first word of a tactic, after a bullet or goal selector (`·`, `2:`, `all:`).
_HEAD = re.compile(r"(?:[·.]\s*|(?:\d+|all|any_goals)\s*:\s*)*(@?[^\W\d][\w'.!?]*)")


@dataclass(frozen=True, slots=True)
class SplitStatistics:
    """Statistics of the theorems of one split.

    Attributes:
        counts: Numbers of theorems, proofs, tactics and premises, by name.
        lengths: Lengths in characters (`state`, `tactic`) and in tactics (`tactics_per_proof`), by name.
        heads: How many tactics begin with each word.
    """

    counts: dict[str, int]
    lengths: dict[str, list[int]]
    heads: Counter[str]

    def metrics(self) -> dict[str, float]:
        """Metrics by name: counts, `median_X` and `p90_X` of lengths, shares."""
        quantiles: dict[str, float] = {}
        for name, values in self.lengths.items():
            if values:
                quantiles[f"median_{name}"] = float(np.median(values))
                quantiles[f"p90_{name}"] = float(np.quantile(values, 0.9))
        num_tactics = self.counts["num_tactics"]
        share = self.counts["num_tactics_with_premises"] / num_tactics if num_tactics else 0.0
        return {**self.counts, **quantiles, "share_tactics_with_premises": share}


def split_statistics(records: Sequence[TheoremRecord], known: frozenset[PremiseUse]) -> SplitStatistics:
    """Statistics of some theorems.

    Args:
        records: The theorems of a split.
        known: Premises of which the data set has a record.
    """
    steps = [step for record in records for step in record.steps]
    used = {use for step in steps for use in step.premises}
    proofs = [record for record in records if record.steps]
    counts = {
        "num_theorems": len(records),
        "num_files": len({record.theorem.file for record in records}),
        "num_theorems_without_tactics": len(records) - len(proofs),
        "num_proofs_not_closed": sum(not record.closes for record in proofs),
        "num_proofs_with_jumps": sum(map(has_jumps, proofs)),
        "num_tactics": len(steps),
        "num_distinct_pairs": len({(step.state, step.tactic) for step in steps}),
        "num_tactics_with_premises": sum(bool(step.premises) for step in steps),
        "num_premises_used": len(used),
        "num_premises_unlocated": len(used - known),
    }
    lengths = {
        "state": [len(step.state) for step in steps],
        "tactic": [len(step.tactic) for step in steps],
        "tactics_per_proof": [len(record.steps) for record in proofs],
    }
    return SplitStatistics(counts, lengths, Counter(tactic_head(step.tactic) for step in steps))


def has_jumps(record: TheoremRecord) -> bool:
    """Whether a step begins in a state other than the one in which the previous step ended.

    Structured proofs have tactics inside tactics, and work on one goal at a time: their recorded tactics, run
    one after the other, need not prove the theorem.
    """
    return any(
        (step.before, step.num_other_goals + 1) != (last.after, last.num_goals_after)
        for last, step in zip(record.steps, record.steps[1:], strict=False)
    )


def tactic_head(tactic: str) -> str:
    """The name at the beginning of a tactic; if it does not begin with a name, its first word."""
    found = _HEAD.match(tactic)
    if found:
        return found.group(1).rstrip(".")
    return tactic.split(maxsplit=1)[0] if tactic.split() else ""


def dataset_statistics(dataset: Dataset, split: Split) -> dict[str, SplitStatistics]:
    """Statistics of every split that has theorems, and of all theorems of the data set (`all`)."""
    known = frozenset(PremiseUse(premise.full_name, premise.file) for premise in dataset.premises)
    found = {"all": split_statistics(tuple(dataset.records.values()), known)}
    for part in SPLITS:
        if ids := getattr(split, part):
            found[part] = split_statistics(dataset.select(ids), known)
    return found


def repeated_statements(dataset: Dataset, split: Split) -> dict[str, int]:
    """For each other split, the number of its theorems whose statement also occurs in the train split."""
    keys = {part: _statements(dataset.select(getattr(split, part))) for part in SPLITS}
    train = set(keys["train"])
    return {part: sum(key in train for key in keys[part]) for part in SPLITS[1:] if keys[part]}


def _statements(records: Iterable[TheoremRecord]) -> list[str]:
    return [key for record in records if (key := statement_key(record))]


def flat(parts: Mapping[str, SplitStatistics]) -> dict[str, float]:
    """Metrics by split and name, as `val/num_tactics`."""
    return {f"{part}/{name}": value for part, s in parts.items() for name, value in s.metrics().items()}
