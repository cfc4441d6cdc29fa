"""Proof trees: everything that a search tried on one theorem, for reports."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ntp.types import Crashed, Exceeded, Outcome, Proved, Reached, Rejected, TacticError, Timeout, Transition

_OUTCOME_NAMES: dict[type, str] = {
    Reached: "reached",
    Proved: "proved",
    TacticError: "error",
    Timeout: "timeout",
    Exceeded: "exceeded",
    Crashed: "crashed",
    Rejected: "rejected",
}


@dataclass(frozen=True, slots=True)
class TreeNode:
    """A distinct tactic and outcome in a distinct state; the first node of a tree is the root.

    Attributes:
        parent: Index of the parent in `ProofTree.nodes`; -1 for the root.
        tactic: The tactic text; empty for the root.
        log_prob: log P_F(tactic | state), in nats.
        outcome: "reached", "proved", "error", "timeout", "exceeded", "crashed" or "rejected".
        text: All goals of the state reached, or the prover's message.
        merged_into: Index of the node that reached the same state first and has its children; -1 if this one
            is the first.
        num_tries: How often the tactic was tried in that state with that outcome.
    """

    parent: int
    tactic: str
    log_prob: float
    outcome: str
    text: str
    merged_into: int = -1
    num_tries: int = 1


@dataclass(frozen=True, slots=True)
class ProofTree:
    """Nodes of a tree, parents before children, and the number of nodes that were left out."""

    nodes: tuple[TreeNode, ...] = ()
    num_left_out: int = 0

    def children(self) -> list[list[int]]:
        """The indices of the children of each node, in the order in which they were tried."""
        children: list[list[int]] = [[] for _ in self.nodes]
        for index, node in enumerate(self.nodes[1:], start=1):
            children[node.parent].append(index)
        return children


def proof_tree(transitions: Iterable[Transition], max_nodes: int = 400, max_chars: int = 2000) -> ProofTree:
    """Build a tree from transitions; states with the same `ProofState.key` are one node, as in a search.

    Args:
        transitions: Every step that was tried. The first starts in the theorem's root state, and a state is
            reached before any step from it.
        max_nodes: Number of nodes to which the tree is pruned (`prune`).
        max_chars: Length at which a node's text is cut.
    """
    nodes: list[TreeNode] = []
    node_of_state: dict[str, int] = {}
    node_of_step: dict[tuple[str, ...], int] = {}
    num_tries: dict[int, int] = {}
    for step in transitions:
        if not nodes:
            nodes.append(TreeNode(-1, "", 0.0, "reached", _cut(step.state.key, max_chars)))
            node_of_state[step.state.key] = 0
        # The outcome is part of the key: a tactic may time out once and succeed when it is tried again.
        outcome, text = _OUTCOME_NAMES[type(step.outcome)], _outcome_text(step.outcome)
        key = (step.state.key, step.tactic.text, outcome, text)
        if key in node_of_step:
            num_tries[node_of_step[key]] += 1
            continue
        index = node_of_step[key] = len(nodes)
        num_tries[index] = 1
        merged_into = -1
        if isinstance(step.outcome, Reached):
            first = node_of_state.setdefault(step.outcome.state.key, index)
            merged_into = -1 if first == index else first
        nodes.append(
            TreeNode(
                node_of_state[step.state.key],
                step.tactic.text,
                step.tactic.log_prob,
                outcome,
                _cut(text, max_chars),
                merged_into,
            )
        )
    counted = [replace(node, num_tries=num_tries.get(i, 1)) for i, node in enumerate(nodes)]
    return prune(ProofTree(tuple(counted)), max_nodes)


def prune(tree: ProofTree, max_nodes: int) -> ProofTree:
    """Keep at most `max_nodes` nodes with their ancestors: paths to proofs first, then the earliest."""
    if len(tree.nodes) <= max_nodes:
        return tree
    proved = [i for i, node in enumerate(tree.nodes) if node.outcome == "proved"]
    keep: set[int] = set()
    for index in [*proved, *range(len(tree.nodes))]:
        path = []
        while index >= 0 and index not in keep:
            path.append(index)
            index = tree.nodes[index].parent
        if len(keep) + len(path) > max_nodes:
            break
        keep.update(path)
    kept = sorted(keep)
    new_index = {old: new for new, old in enumerate(kept)} | {-1: -1}
    nodes = tuple(
        replace(node, parent=new_index[node.parent], merged_into=new_index.get(node.merged_into, -1))
        for node in (tree.nodes[i] for i in kept)
    )
    return ProofTree(nodes, tree.num_left_out + len(tree.nodes) - len(nodes))


def _outcome_text(outcome: Outcome) -> str:
    match outcome:
        case Reached(state):
            return state.key
        case TacticError(text) | Timeout(text) | Crashed(text) | Rejected(text):
            return text
        case Exceeded(_, text):
            return text
        case Proved():
            return ""


def _cut(text: str, max_chars: int) -> str:
    return (
        text if len(text) <= max_chars else f"{text[:max_chars]} … ({len(text) - max_chars} more characters)"
    )
