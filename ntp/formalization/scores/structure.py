"""Exact match up to layout and bound names, and tree edit distance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apted import APTED, Config

from ntp.formalization.scores.base import Translation, mean
from ntp.formalization.terms import Node, parse_statement

# The longest published statements have 324 nodes; the time for a pair grows with the square of that and more.
MAX_NODES = 600


@dataclass(frozen=True)
class ExactMatch:
    """Share of translations that are the reference but for layout, bound names and the theorem's name.

    See `ntp.formalization.terms` for what else makes no difference.
    """

    name: str = "exact_match"
    higher_is_better: bool = True
    signature: str = ""

    def of_each(self, translations: Sequence[Translation]) -> list[float]:
        """See `Score.of_each`."""
        return [float(parse_statement(t.text) == parse_statement(t.pair.formal)) for t in translations]

    def overall(self, translations: Sequence[Translation], values: Sequence[float]) -> float:  # noqa: ARG002
        """See `Score.overall`."""
        return mean(values)


@dataclass(frozen=True)
class TreeSimilarity:
    """One minus the tree edit distance as a share of the nodes of both trees: 1 for equal trees.

    The distance (Pawlik and Augsten 2016, the `apted` package) counts inserted, deleted and renamed nodes. A
    translation of over `MAX_NODES` nodes has similarity 0.
    """

    name: str = "tree_similarity"
    higher_is_better: bool = True
    signature: str = "apted|cost:unit|norm:sum"

    def of_each(self, translations: Sequence[Translation]) -> list[float]:
        """See `Score.of_each`."""
        return [_similarity(parse_statement(t.text), parse_statement(t.pair.formal)) for t in translations]

    def overall(self, translations: Sequence[Translation], values: Sequence[float]) -> float:  # noqa: ARG002
        """See `Score.overall`."""
        return mean(values)


def tree_distance(one: Node, other: Node) -> int:
    """The fewest insertions, deletions and renamings of nodes that turn one tree into the other."""
    return 0 if one == other else int(APTED(one, other, _Unit()).compute_edit_distance())


def _similarity(one: Node, other: Node) -> float:
    if one == other:
        return 1.0
    if max(one.size, other.size) > MAX_NODES:
        return 0.0
    return 1 - tree_distance(one, other) / (one.size + other.size)


class _Unit(Config):
    """Every operation costs one."""

    def rename(self, node1: Node, node2: Node) -> int:
        return int(node1.label != node2.label)

    def children(self, node: Node) -> list[Node]:
        return list(node.children)
