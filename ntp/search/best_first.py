"""Best-first search guided by the policy's cumulative log-probability and by a verifier's score."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

from ntp.policy.prompt import SamplingParams
from ntp.search.interface import Budget, Expansion, StepResult, Usage
from ntp.seeding import derive_seed
from ntp.types import ProofState, Proved, Reached, Status, Tactic, Theorem, Trajectory, Transition


@dataclass(slots=True)
class Node:
    """A proof state in the search graph, merged with every state that prints the same goals.

    Attributes:
        state: The state as it was reached on `path`.
        path: The transitions that were executed to reach it, on the best path so far; they are the proof once
            it is complete. A path short enough to be continued is better than one that is not, and of two
            such paths the more probable one.
        log_prob: Summed log-probability of that path, in nats.
        log_correct: Maximum log-probability of being correct over the tactics that have led here so far, in
            nats; 0 at the root. A tactic is correct if and only if the resulting state can be proved, so this
            is a value of the node, not summed over the path, and every tactic that leads here is evidence of
            it.
        num_expansions: How often the node was expanded.
        tried: The tactics tried here, by text.
    """

    state: ProofState
    path: tuple[Transition, ...]
    log_prob: float
    log_correct: float
    num_expansions: int = 0
    tried: dict[str, Tactic] = field(default_factory=dict)


class BestFirstSearch:
    """Expands the most promising state first, until a proof is found or the budget is spent.

    An expanded node returns to the queue at a lower priority: if it were dropped, the search would end as
    soon as the first few samples at the root fail. The tactics of a node are sampled without replacement,
    over all its expansions; a node whose tactics have all been tried leaves the queue.

    A node's priority, highest first, is
    policy_weight * log_prob / depth**length_exponent + verifier_weight * log_correct
    - expansion_price * num_expansions.

    With closing tactics (`sauto`, `hammer`), every new first goal is queued a second time, at a priority that
    is `closer_price` lower: then they are run on it in place of the policy's tactics. Where the same goal
    turns up again, only those that closed it are. What they lead to has their price in its log-probability.
    They count as samples.

    Args:
        theorem: The theorem to prove.
        root: Its initial state.
        budget: Limits of the search.
        samples_per_expansion: Tactics sampled each time a node is expanded.
        expansion_price: Nats subtracted from a node's priority for each earlier expansion of it.
        length_exponent: How a path's log-probability is normalised (0: plain sum, 1: mean per tactic).
        max_depth: States at this depth are not expanded.
        temperature: Temperature of the samples.
        seed: Seed of the samples.
        policy_weight: Weight of the path's log-probability.
        verifier_weight: Weight of the verifier's score of the tactic that led to the node.
        closers: Closing tactics.
        closer_price: Their price in nats.

    Attributes:
        trajectories: The proofs found in the last round; empty when there are none.
        transitions: Every distinct step tried, in order.
    """

    def __init__(
        self,
        theorem: Theorem,
        root: ProofState,
        budget: Budget,
        samples_per_expansion: int,
        expansion_price: float,
        length_exponent: float,
        max_depth: int,
        temperature: float,
        seed: int,
        policy_weight: float = 1.0,
        verifier_weight: float = 0.0,
        closers: Sequence[str] = (),
        closer_price: float = 0.0,
    ) -> None:
        self.theorem = theorem
        self.root = root
        self.usage = Usage()
        self.trajectories: list[Trajectory] = []
        self.transitions: list[Transition] = []
        self._budget = budget
        self._num_draws = samples_per_expansion
        self._price = expansion_price
        self._length_exponent = length_exponent
        self._max_depth = max_depth
        self._temperature = temperature
        self._seed = seed
        self._policy_weight = policy_weight
        self._verifier_weight = verifier_weight
        self._order = count()
        self._nodes: dict[str, Node] = {}
        self._closers = tuple(Tactic(text, log_prob=-closer_price) for text in closers)
        self._closer_price = closer_price
        self._closers_of: dict[str, tuple[Tactic, ...]] = {}
        self._queue: list[tuple[float, int, Node, bool]] = []
        self._selected: Node | None = None
        self._closing = False
        self._add(root, (), 0.0, 0.0)

    @property
    def num_nodes(self) -> int:
        """Distinct states reached."""
        return len(self._nodes)

    def priority(self, node: Node) -> float:
        """The key of the queue, highest first, in nats."""
        length = max(1, len(node.path)) ** self._length_exponent
        policy = self._policy_weight * node.log_prob / length
        verifier = self._verifier_weight * node.log_correct
        return policy + verifier - self._price * node.num_expansions

    def select(self) -> list[Expansion]:
        """Pop the best node; empty if a proof was found or the budget is spent."""
        if self.trajectories or not self.usage.within(self._budget):
            return []
        found = self._pop()
        if found is None:
            return []
        self._selected, self._closing = found
        if self._closing:
            return [Expansion(self._selected.state, (), given=self._left_to_try(self._selected))]
        left = self._budget.max_samples - self.usage.num_samples
        draws = tuple(
            SamplingParams(
                derive_seed(self._seed, self._selected.state.key, self._selected.num_expansions, i),
                self._temperature,
            )
            for i in range(min(self._num_draws, left))
        )
        return [Expansion(self._selected.state, draws, tuple(self._selected.tried.values()))]

    def observe(self, attempts: Sequence[Sequence[StepResult]]) -> None:
        """Add the states reached, and put the expanded node back at a lower priority."""
        node = self._selected
        assert node is not None
        for tactic, outcome in attempts[0]:
            node.tried[tactic.text] = tactic
            transition = Transition(node.state, tactic, outcome)
            self.transitions.append(transition)
            path = (*node.path, transition)
            if isinstance(outcome, Proved):
                self.trajectories.append(Trajectory(self.theorem, path, Status.PROVED))
            elif isinstance(outcome, Reached):
                self._add(outcome.state, path, node.log_prob + tactic.log_prob, tactic.log_correct)
        if self._closing:
            accepted = (tactic for tactic, outcome in attempts[0] if isinstance(outcome, Reached | Proved))
            self._closers_of[str(node.state.goal)] = tuple(accepted)
            return
        node.num_expansions += 1
        if attempts[0]:
            self._push(node)

    def _add(
        self, state: ProofState, path: tuple[Transition, ...], log_prob: float, log_correct: float
    ) -> None:
        node = self._nodes.get(state.key)
        if node is None:
            node = self._nodes[state.key] = Node(state, path, log_prob, log_correct)
            self._offer(node)
        else:
            before = self._is_open(node.path), self.priority(node)
            node.log_correct = max(node.log_correct, log_correct)
            if (self._is_open(path), log_prob) > (self._is_open(node.path), node.log_prob):
                node.state, node.path, node.log_prob = state, path, log_prob
            if (self._is_open(node.path), self.priority(node)) == before:
                return  # its queue entry is still valid; a second one would expand it twice
        self._push(node)

    def _is_open(self, path: tuple[Transition, ...]) -> bool:
        return len(path) < self._max_depth

    def _push(self, node: Node) -> None:
        """Queue a node for its next expansion, unless it is at the greatest depth."""
        if not self._is_open(node.path):
            return
        heapq.heappush(self._queue, (-self.priority(node), next(self._order), node, False))

    def _offer(self, node: Node) -> None:
        """Queue a new node for the closing tactics."""
        if self._closers and self._is_open(node.path):
            cost = self._closer_price - self.priority(node)
            heapq.heappush(self._queue, (cost, next(self._order), node, True))

    def _left_to_try(self, node: Node) -> tuple[Tactic, ...]:
        """The closing tactics for its first goal: all of them, or those that closed it before."""
        return self._closers_of.get(str(node.state.goal), self._closers)

    def _pop(self) -> tuple[Node, bool] | None:
        """The best node, and whether it is the closing tactics' turn there.

        Stale entries are skipped: the priority has changed since they were pushed, or the goal was tried.
        """
        while self._queue:
            cost, _, node, closing = heapq.heappop(self._queue)
            if closing:
                if self._left_to_try(node):
                    return node, True
            elif cost == -self.priority(node):
                return node, False
        return None
