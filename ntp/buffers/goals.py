"""Proofs of single goals, merged over theorems by the goal's text.

A prover puts the goals that a tactic leaves in front of the others, so a proof that always works on the first
goal lists a tree in pre-order: a goal's tactic, then the proofs of the goals that it left. Every subtree is a
proof of its goal, and subtrees of the same goal can be exchanged.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

Moves = Mapping[str, Mapping[str, tuple[float, tuple[str, ...]]]]
"""Of each goal, by tactic: log pi_ref of the tactic in nats, and the goals that it left."""


def num_left(states: Sequence[str], unread: Sequence[Sequence[str]]) -> list[int | None]:
    """How many goals each tactic of a whole proof left of the one that it was applied to.

    None where it changed other goals too, as a tactic does that instantiates a variable of theirs: then the
    goals are not independent of one another.

    Args:
        states: Text of the goal that each tactic was applied to.
        unread: The goals that stood behind it.
    """
    open_goals = [(state, *behind) for state, behind in zip(states, unread, strict=True)]
    counts: list[int | None] = []
    for behind, after in zip(unread, [*open_goals[1:], ()], strict=True):
        num = len(after) - len(behind)
        counts.append(num if num >= 0 and after[num:] == tuple(behind) else None)
    return counts


def proved_moves(states: Sequence[str], unread: Sequence[Sequence[str]]) -> list[tuple[int, tuple[str, ...]]]:
    """The steps of a proof whose tactic begins a whole proof of the goal that it was applied to.

    Args:
        states: Text of the goal that each tactic was applied to.
        unread: The goals that stood behind it.

    Returns:
        Index of each such step and the goals that its tactic left, from the last step to the first.
    """
    end: list[int | None] = [None] * len(states)
    moves = []
    left = num_left(states, unread)
    for first in reversed(range(len(states))):
        num, place, subgoals = left[first], first + 1, []
        if num is None:
            continue
        for _ in range(num):
            if place >= len(states) or (after := end[place]) is None:
                break
            subgoals.append(states[place])
            place = after
        else:
            end[first] = place
            moves.append((first, tuple(subgoals)))
    return moves


def goal_moves(
    proofs: Iterable[tuple[Sequence[str], Sequence[str], Sequence[float], Sequence[Sequence[str]]]],
) -> dict[str, dict[str, tuple[float, tuple[str, ...]]]]:
    """All tactics that begin a known proof of a goal.

    Args:
        proofs: Of each proof, for all steps: goals, tactics, log pi_ref in nats, and the goals behind.
    """
    moves: dict[str, dict[str, tuple[float, tuple[str, ...]]]] = {}
    for states, tactics, log_ref, unread in proofs:
        for step, subgoals in proved_moves(states, unread):
            moves.setdefault(states[step], {})[tactics[step]] = (log_ref[step], subgoals)
    return moves


class GoalFlows:
    """Flows Z(g) of goals and the target of each tactic, by the equations in `ntp.losses.goal_balance`.

    Proof trees of at most `max_height` tactics on a path are counted, since a tactic may lead back to a goal
    above it. Z of trees of height h is computed from that of height h - 1, until nothing changes any more.

    Args:
        moves: The known moves (`goal_moves`).
        log_reward: log r of a tactic that begins a proof, from its log pi_ref, both in nats.
        max_height: Most tactics on a path from a goal to a leaf, at least 1.
    """

    def __init__(self, moves: Moves, log_reward: Callable[[float], float], max_height: int) -> None:
        self._moves = {
            goal: {tactic: (log_reward(log_ref), subgoals) for tactic, (log_ref, subgoals) in known.items()}
            for goal, known in moves.items()
        }
        # Of subtrees, and of whole trees, which may be one tactic higher.
        self._below: dict[str, float] = {}
        self._flow: dict[str, float] = {}
        for _ in range(max_height):
            self._below, before = self._flow, self._below
            self._flow = {
                goal: _logsumexp([self._log_move(move) for move in known.values()])
                for goal, known in self._moves.items()
            }
            if self._flow == self._below == before:
                break

    def knows(self, goal: str, tactic: str) -> bool:
        """Whether the tactic begins a known proof of the goal, of any height."""
        return tactic in self._moves.get(goal, {})

    def log_flow(self, goal: str) -> float:
        """Log Z of a goal, in nats; minus infinity if no proof of it is known."""
        return self._flow.get(goal, -math.inf)

    def log_target(self, goal: str, tactic: str) -> float:
        """Log P(tactic | goal), in nats; minus infinity if the tactic begins no proof that is counted."""
        if not self.knows(goal, tactic):
            return -math.inf
        log_move = self._log_move(self._moves[goal][tactic])
        return log_move - self.log_flow(goal) if math.isfinite(log_move) else -math.inf

    def _log_move(self, move: tuple[float, tuple[str, ...]]) -> float:
        log_reward, subgoals = move
        return log_reward + sum(self._below.get(subgoal, -math.inf) for subgoal in subgoals)


def _logsumexp(values: Sequence[float]) -> float:
    greatest = max(values)
    if greatest == -math.inf:
        return greatest
    return greatest + math.log(sum(math.exp(value - greatest) for value in values))
