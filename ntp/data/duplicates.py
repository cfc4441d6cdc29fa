"""Groups of theorems that are the same up to names, or nearly the same, so that no split separates them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from datasketch import MinHash, MinHashLSH

from ntp.data.records import TheoremRecord
from ntp.data.splits import statement_key
from ntp.envs.coq.term import term_digest

_WORD = re.compile(r"[^\W\d][\w']*(?:\.[^\W\d][\w']*)*|\d+|[^\s\w]+")
_SHINGLE = 5
_NUM_PERMUTATIONS = 128
_SLACK = 0.1
THRESHOLD = 0.8


@dataclass(frozen=True, slots=True)
class Member:
    """A theorem to be grouped.

    Attributes:
        id: Unique among all.
        record: The theorem.
    """

    id: str
    record: TheoremRecord


def duplicate_groups(members: Iterable[Member], threshold: float = THRESHOLD) -> dict[str, str]:
    """For each theorem, the first of the theorems that it is a duplicate of, itself without any.

    Duplicates have one statement up to spacing and names of bound variables, or statements and proofs
    together with a Jaccard similarity of their runs of five words of at least `threshold`. Candidates for the
    latter are found by MinHash (Broder 1997). What is a duplicate of a duplicate is one too.

    Args:
        members: The theorems, in a fixed order.
        threshold: Similarity from 0 to 1.
    """
    groups = _Groups()
    # Candidates that are missed are duplicates that are missed; those that are none are found out below.
    lsh = MinHashLSH(threshold=threshold - _SLACK, num_perm=_NUM_PERMUTATIONS, weights=(0.1, 0.9))
    runs: dict[str, frozenset[int]] = {}
    by_statement: dict[str, str] = {}
    for member in members:
        groups.add(member.id)
        for key in _statement_keys(member.record):
            groups.join(by_statement.setdefault(key, member.id), member.id)
        found = shingles(member.record)
        sketch = MinHash(num_perm=_NUM_PERMUTATIONS)
        sketch.update_batch([shingle.encode() for shingle in sorted(found)])
        own = frozenset(map(hash, found))
        for other in map(str, lsh.query(sketch)):
            if len(own & runs[other]) >= threshold * len(own | runs[other]):
                groups.join(other, member.id)
        runs[member.id] = own
        lsh.insert(member.id, sketch, check_duplication=False)
    return groups.first


def _statement_keys(record: TheoremRecord) -> Iterator[str]:
    """Texts that are equal for theorems of one statement: as it is written, and as its first goal."""
    key = statement_key(record)
    yield key
    yield term_digest(f"forall {key}")
    if record.steps:
        goal = record.steps[0].before
        yield term_digest("".join(f"forall {h}, " for h in goal.hypotheses) + goal.conclusion)


def shingles(record: TheoremRecord) -> set[str]:
    """The runs of five words in a theorem's statement, without its name, and its tactics."""
    text = " ".join((statement_key(record), *(step.tactic for step in record.steps)))
    found = _WORD.findall(text)
    return {" ".join(found[i : i + _SHINGLE]) for i in range(max(1, len(found) - _SHINGLE + 1))}


class _Groups:
    """Disjoint sets that are known by their first member."""

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}
        self._order: dict[str, int] = {}

    @property
    def first(self) -> dict[str, str]:
        return {member: self._root(member) for member in self._parents}

    def add(self, member: str) -> None:
        self._parents[member] = member
        self._order[member] = len(self._order)

    def join(self, one: str, other: str) -> None:
        early, late = sorted((self._root(one), self._root(other)), key=self._order.__getitem__)
        self._parents[late] = early

    def _root(self, member: str) -> str:
        while self._parents[member] != member:
            self._parents[member] = self._parents[self._parents[member]]
            member = self._parents[member]
        return member


def leaks(parts: dict[str, str], groups: dict[str, str], train: str = "train") -> set[str]:
    """Theorems outside the training part that are duplicates of one in it, or of one in another part.

    Args:
        parts: Part of each theorem.
        groups: As `duplicate_groups` returns them.
        train: Name of the training part.
    """
    homes: dict[str, str] = {}
    for member, part in parts.items():
        if part == train:
            homes[groups[member]] = part
    found = set()
    for member, part in parts.items():
        if homes.setdefault(groups[member], part) != part:
            found.add(member)
    return found
