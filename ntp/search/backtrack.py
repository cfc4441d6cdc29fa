"""Finishing scripts that fail: closing the goals that are left with tactics, and undoing steps."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ntp.bounds import PositiveFloat, PositiveInt
from ntp.envs.base import ProofEnv, ProofSession
from ntp.envs.script import ScriptSyntax
from ntp.search.interface import NO_LIMIT, Budget, Usage
from ntp.types import Outcome, ProofState, Proved, Reached, ScriptResult, TacticError, Theorem

# Replaced by the names that are given; a tactic with it is left out when there are none.
NAMES = "{names}"
CLOSERS = ("sauto.", "hauto use: {names}.", "hammer.")
_NAME = re.compile(r"[^\W\d][\w']*(?:\.[^\W\d][\w']*)*")
_UNKNOWN = re.compile(r"The reference\s+(\S+)\s+was not\s+found")


class Backtracker(Protocol):
    """Anything that completes a script from what a prover accepted of it."""

    def complete(
        self, theorem: Theorem, result: ScriptResult, names: Sequence[str], budget: Budget
    ) -> str | None:
        """A complete script that begins with accepted sentences, or None if none is found.

        Args:
            theorem: The theorem.
            result: What the prover said of a script that is no proof. Its accepted sentences are kept as far
                as possible; those after its failure are not known and not used.
            names: Names of premises that closing tactics may use, best first.
            budget: Limits on what this call spends: `max_env_steps`, `max_seconds`, `max_cpu_seconds`.

        Returns:
            The text of a script that `ProofEnv.check_script` accepted, without tactics that search outside of
            the prover (`hammer` is replaced by the tactic that it found).

        Raises:
            InitError: The theorem cannot be opened.
            EnvError: The prover is missing or cannot start.
        """
        ...


@dataclass(frozen=True)
class BacktrackOptions:
    """How a script that fails is completed.

    Attributes:
        closers: Tactics that are tried on a goal, in order; `{names}` stands for names of premises.
        max_names: Most names in one tactic.
        max_env_steps: Most tactics sent to the prover for one script; null for no limit.
        max_seconds: Most seconds for one script; null for no limit.
        max_cpu_seconds: Most CPU seconds of the prover for one script; null for no limit.
    """

    closers: Sequence[str] = CLOSERS
    max_names: PositiveInt = 8
    max_env_steps: PositiveInt | None = NO_LIMIT
    max_seconds: PositiveFloat | None = NO_LIMIT
    max_cpu_seconds: PositiveFloat | None = 30.0

    @property
    def budget(self) -> Budget:
        """The limits."""
        return Budget(1, self.max_env_steps, self.max_seconds, self.max_cpu_seconds)


class ClosingBacktracker:
    """Closes the goal at which a script fails; otherwise undoes the script to its last branching, and so on.

    Bullets and braces are left out: a tactic acts on the first goal with them and without. First the goal at
    the failure is tried, then the first state in which this goal, or what became it, was in front, then the
    goal before the tactic that made several goals of it, and so on outwards, the whole theorem last. Once a
    goal is closed, the next one is tried, which the script may not have reached. A goal that no tactic closed
    is not tried again.

    Args:
        env: The prover. Its open session is closed.
        syntax: Tells bullets and braces from tactics.
        closers: See `BacktrackOptions`.
        max_names: See `BacktrackOptions`.
    """

    def __init__(
        self,
        env: ProofEnv,
        syntax: ScriptSyntax,
        closers: Sequence[str] = CLOSERS,
        max_names: int = BacktrackOptions.max_names,
    ) -> None:
        self._env, self._syntax = env, syntax
        self._closers, self._max_names = tuple(closers), max_names

    def complete(
        self, theorem: Theorem, result: ScriptResult, names: Sequence[str], budget: Budget
    ) -> str | None:
        """See `Backtracker.complete`."""
        kept = [sentence for sentence in result.accepted if not self._syntax.is_structure(sentence)]
        usable = [name for name in dict.fromkeys(names) if _NAME.fullmatch(name)][: self._max_names]
        session = self._env.open(theorem)
        try:
            tactics = _Attempt(session, self._closers, usable, budget).proof(kept)
        finally:
            session.close()
        if tactics is None:
            return None
        text = "\n".join(tactics)
        return text if self._env.check_script(theorem, text).verdict.accepted else None


@dataclass(frozen=True, slots=True)
class _Line:
    """A state with the tactics that lead to it from the beginning."""

    tactics: tuple[str, ...]
    state: ProofState


class _Attempt:
    """The completion of one script.

    Args:
        session: The theorem, open.
        closers: Tactics, some with `{names}`.
        names: Names for them.
        budget: Limits.
    """

    def __init__(
        self, session: ProofSession, closers: Sequence[str], names: Sequence[str], budget: Budget
    ) -> None:
        self._session, self._closers, self._names, self._budget = session, closers, list(names), budget
        self._usage = Usage()
        self._hopeless: set[str] = set()

    def proof(self, tactics: Sequence[str]) -> tuple[str, ...] | None:
        """The tactics of a proof that begins like the given ones, or None."""
        lines = [_Line((), self._session.root)]
        for tactic in tactics:
            outcome = self._step(lines[-1].state, tactic)
            if isinstance(outcome, Proved):
                return (*lines[-1].tactics, outcome.found or tactic)
            if not isinstance(outcome, Reached):
                break
            lines.append(_Line((*lines[-1].tactics, outcome.found or tactic), outcome.state))
        for line in places(lines):
            if not self._is_within_budget():
                return None
            found = self._close_all(line)
            if found is not None:
                return found
        return None

    def _close_all(self, line: _Line) -> tuple[str, ...] | None:
        """Close goal after goal; None as soon as one resists."""
        while True:
            num_goals = 1 + len(line.state.other_goals)
            for tactic, outcome in self._outcomes(line.state):
                if isinstance(outcome, Proved):
                    return (*line.tactics, outcome.found or tactic)
                if isinstance(outcome, Reached) and 1 + len(outcome.state.other_goals) < num_goals:
                    line = _Line((*line.tactics, outcome.found or tactic), outcome.state)
                    break
            else:
                return None

    def _outcomes(self, state: ProofState) -> Iterator[tuple[str, Outcome]]:
        goal = str(state.goal)
        if goal in self._hopeless:
            return
        for closer in self._closers:
            while self._is_within_budget():
                if NAMES in closer and not self._names:
                    break
                tactic = closer.replace(NAMES, ", ".join(self._names))
                outcome = self._step(state, tactic)
                unknown = _UNKNOWN.search(outcome.message) if isinstance(outcome, TacticError) else None
                if unknown is None or unknown[1] not in self._names:
                    yield tactic, outcome
                    break
                self._names.remove(unknown[1])
        if self._is_within_budget():
            self._hopeless.add(goal)

    def _step(self, state: ProofState, tactic: str) -> Outcome:
        outcome = self._session.step(state, tactic)
        self._usage.num_env_steps, self._usage.cpu_s = self._session.num_env_steps, self._session.cpu_s
        return outcome

    def _is_within_budget(self) -> bool:
        return self._usage.within(self._budget)


def places(lines: Sequence[_Line]) -> Iterator[_Line]:
    """Where to try, from the end of a script outwards.

    The last state; then, going back, each state in which a goal came to the front (the first one after a
    tactic that changed the number of goals) and each before a tactic that made more goals of one; the first
    state last.
    """
    counts = [1 + len(line.state.other_goals) for line in lines]
    last = len(lines) - 1
    for index in range(last, -1, -1):
        comes_to_front = index == 0 or counts[index] != counts[index - 1]
        branches = index < last and counts[index + 1] > counts[index]
        if index == last or comes_to_front or branches:
            yield lines[index]
