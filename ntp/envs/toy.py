"""An environment so small that every trajectory can be listed: exact values for samplers, rewards and losses.

A goal has edges that are words; an edge leads to a goal, to several goals that are proved one after the
other, or to an outcome. A word without an edge is a tactic error, as in any prover, so any text that a model
generates is part of the trajectory space.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ntp.errors import InitError
from ntp.types import (
    Crashed,
    Exceeded,
    Goal,
    Outcome,
    ProofState,
    Proved,
    Reached,
    ScriptResult,
    Span,
    Status,
    Tactic,
    TacticError,
    Theorem,
    Timeout,
    Trajectory,
    Transition,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class ToyNode:
    """A goal and its edges.

    Attributes:
        conclusion: What a policy reads of it.
        moves: From a word to the goal or the goals that it leaves, or to its outcome; `Proved` closes this
            goal only.
    """

    conclusion: str
    moves: Mapping[str, ToyNode | tuple[ToyNode, ...] | Outcome]


class ToySession:
    """An open toy theorem."""

    cpu_s = 0.0

    def __init__(self, theorem: Theorem, root: ToyNode) -> None:
        self.theorem = theorem
        self.num_env_steps = 0
        self._goals: list[tuple[ToyNode, ...]] = []
        self.root = self._reach((root,))

    def step(self, state: ProofState, tactic: str) -> Outcome:
        """Follow the edge of a word from the first goal."""
        self.num_env_steps += 1
        first, *others = self._goals[state.handle]
        match first.moves.get(tactic.strip()):
            case None:
                return TacticError(f"no such move: {tactic!r}")
            case ToyNode() as goal:
                return Reached(self._reach((goal, *others)))
            case tuple() as goals:
                return Reached(self._reach((*goals, *others)))
            case Proved() if others:
                return Reached(self._reach(tuple(others)))
            case outcome:
                return outcome

    def close(self) -> None:
        """Nothing to release."""

    def _reach(self, goals: tuple[ToyNode, ...]) -> ProofState:
        self._goals.append(goals)
        first, *others = (Goal((), goal.conclusion) for goal in goals)
        return ProofState(len(self._goals) - 1, first, tuple(map(str, others)))


class ToyEnv:
    """An environment of toy theorems.

    Args:
        roots: From the id of a theorem to its initial state.
    """

    def __init__(self, roots: Mapping[str, ToyNode]) -> None:
        self._roots = roots

    def open(self, theorem: Theorem) -> ToySession:
        """Open a theorem; raises `InitError` if there is none with that id."""
        if theorem.id not in self._roots:
            raise InitError(
                f"{theorem.file}: there is no toy theorem {theorem.id!r}, choose one of {sorted(self._roots)}"
            )
        return ToySession(theorem, self._roots[theorem.id])

    def check_proof(self, theorem: Theorem, tactics: Sequence[str]) -> Verdict:
        """Replay a proof; see `ProofEnv.check_proof`."""
        session = self.open(theorem)
        state = session.root
        for i, tactic in enumerate(tactics):
            match session.step(state, tactic):
                case Reached(reached):
                    state = reached
                case Proved() if i == len(tactics) - 1:
                    return Verdict(accepted=True)
                case outcome:
                    return Verdict(accepted=False, reason=f"tactic {i + 1}: {outcome}")
        return Verdict(accepted=False, reason="goals remain")

    def check_script(self, theorem: Theorem, text: str) -> ScriptResult:
        """Follow the words of a script; see `ProofEnv.check_script`."""
        session = self.open(theorem)
        state, transitions, words = session.root, [], text.split()
        for word in words:
            outcome = session.step(state, word)
            transitions.append(Transition(state, Tactic(word), outcome))
            if not isinstance(outcome, Reached):
                break
            state = outcome.state
        return ScriptResult(tuple(transitions), self.check_proof(theorem, words))

    def close(self) -> None:
        """Nothing to release."""


def toy_theorem(name: str) -> Theorem:
    """The theorem with that id."""
    return Theorem(name, "toy", f"Goal {name}.", Span(0, 0), Span(0, 0))


def enumerate_trajectories(
    env: ToyEnv, theorem: Theorem, tactics: Iterable[Tactic], max_depth: int
) -> list[Trajectory]:
    """Every trajectory that runs one of `tactics` in each state, up to `max_depth` tactics long.

    If `tactics` are all that a policy can generate, its probabilities of these trajectories sum to 1.

    Args:
        env: The environment.
        theorem: The theorem to prove.
        tactics: The tactics available in every state. Several may have the same text.
        max_depth: Trajectories that reach this length without an end are TRUNCATED, as in sampling.
    """
    session, tactics = env.open(theorem), tuple(tactics)
    finished: list[Trajectory] = []

    def extend(state: ProofState, done: tuple[Transition, ...]) -> None:
        for tactic in tactics:
            outcome = session.step(state, tactic.text)
            path = (*done, Transition(state, tactic, outcome))
            match outcome:
                case Reached(reached) if len(path) < max_depth:
                    extend(reached, path)
                    continue
                case Reached():
                    status = Status.TRUNCATED
                case Proved():
                    status = Status.PROVED
                case Timeout():
                    status = Status.TIMEOUT
                case Exceeded():
                    status = Status.EXCEEDED
                case Crashed():
                    status = Status.CRASHED
                case _:
                    status = Status.STUCK
            finished.append(Trajectory(theorem, path, status))

    extend(session.root, ())
    return finished
