"""Lean as a proof environment, for any backend: sessions whose states form a tree.

The REPL and LeanDojo both keep every proof state of their process under a number, so going back is free. The
states of a process that died are lost; those that are needed again are replayed from the beginning of the
theorem.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from ntp.envs.lean.goals import parse_goals
from ntp.envs.lean.guard import guard
from ntp.envs.lean.script import read_script
from ntp.envs.session import ROOT, SearchSession
from ntp.sandbox.deaths import ProcessDiedError, RetryBudget
from ntp.types import (
    Crashed,
    Exceeded,
    Goal,
    LeanState,
    Outcome,
    Proved,
    Reached,
    Rejected,
    ScriptResult,
    Status,
    Tactic,
    TacticError,
    Theorem,
    Timeout,
    Transition,
    Verdict,
)

_UNSETTLED = {Timeout: Status.TIMEOUT, Exceeded: Status.EXCEEDED, Crashed: Status.CRASHED}


@dataclass(frozen=True, slots=True)
class Goals:
    """A proof state of a Lean process.

    Attributes:
        state: Its number in that process.
        goals: All goals as printed; empty if none is left, which is not yet a proof.
    """

    state: int
    goals: tuple[str, ...]


class LeanProof(Protocol):
    """The proof of one theorem in a Lean process. Every method raises `ProcessDiedError` if that dies."""

    theorem: Theorem

    @property
    def generation(self) -> int:
        """Increases whenever earlier states become invalid."""
        ...

    def begin(self) -> Goals:
        """State the theorem; raises `InitError` if that fails and `EnvError` if Lean does not work at all."""
        ...

    def execute(self, tactic: str, state: int) -> Goals | TacticError | Timeout | Exceeded | Rejected:
        """Run one guarded tactic in a state under the time limit."""
        ...

    def conclude(self, tactics: Sequence[str]) -> tuple[str, ...] | Timeout | Rejected:
        """Let the kernel check the whole proof, independent of any proof state, and return its axioms."""
        ...

    def stop(self) -> None:
        """End the process; the next call starts another."""
        ...


class LeanBackend(Protocol):
    """A Lean process, started when first needed, that works on one theorem at a time."""

    @property
    def pid(self) -> int:
        """Process id; 0 if none runs."""
        ...

    @property
    def memory_mb(self) -> float:
        """Resident memory in MiB; 0 if none runs."""
        ...

    @property
    def cpu_s(self) -> float:
        """CPU time of all its processes so far, in seconds."""
        ...

    def proof(self, theorem: Theorem) -> LeanProof:
        """The proof of a theorem; raises `InitError` if the theorem is unknown."""
        ...

    def stop(self) -> None:
        """End the process. Safe to call twice."""
        ...


class LeanEnv:
    """See `ProofEnv`.

    Args:
        backend: The Lean process.
    """

    def __init__(self, backend: LeanBackend) -> None:
        self._backend = backend
        self._session: LeanSession | None = None

    @property
    def pid(self) -> int:
        """Process id; 0 if none runs."""
        return self._backend.pid

    @property
    def memory_mb(self) -> float:
        """Resident memory of the process in MiB; 0 if none runs."""
        return self._backend.memory_mb

    def open(self, theorem: Theorem) -> LeanSession:
        """See `ProofEnv.open`."""
        self._session = LeanSession(self._proof(theorem), lambda: self._backend.cpu_s)
        return self._session

    def check_proof(self, theorem: Theorem, tactics: Sequence[str]) -> Verdict:
        """See `ProofEnv.check_proof`. Closes the open session."""
        proof = self._proof(theorem)
        guarded: list[str] = []
        for tactic in tactics:
            text = guard(tactic)
            if isinstance(text, Rejected):
                return Verdict(False, f"{tactic!r}: {text.reason}")
            guarded.append(text)
        budget = RetryBudget()
        while True:
            try:
                result = proof.conclude(guarded)
                break
            except ProcessDiedError as death:
                proof.stop()
                if not budget.allows(death):
                    unsettled = Status.EXCEEDED if death.limit else Status.CRASHED
                    return Verdict(False, f"the prover died: {death}", unsettled=unsettled)
        match result:
            case Rejected(reason):
                return Verdict(False, reason)
            case Timeout(message):
                return Verdict(False, f"timeout {message}".strip(), unsettled=Status.TIMEOUT)
            case axioms:
                return Verdict(True, axioms=tuple(sorted(axioms)))

    def check_script(self, theorem: Theorem, text: str) -> ScriptResult:
        """See `ProofEnv.check_script`. Closes the open session."""
        blocks = read_script(text)
        session = self.open(theorem)
        transitions: list[Transition] = []
        state = session.root
        for block in blocks:
            outcome = session.step(state, block)
            transitions.append(Transition(state, Tactic(block), outcome))
            if not isinstance(outcome, Reached):
                break
            state = outcome.state
        verdict = self._script_verdict(theorem, blocks, transitions)
        if len(transitions) < len(blocks) and isinstance(transitions[-1].outcome, Proved):
            transitions[-1] = replace(transitions[-1], outcome=Rejected(verdict.reason))
        return ScriptResult(tuple(transitions), verdict)

    def _script_verdict(
        self, theorem: Theorem, blocks: Sequence[str], transitions: Sequence[Transition]
    ) -> Verdict:
        if not transitions:
            return Verdict(False, "holds no tactic")
        tactic, outcome = transitions[-1].tactic.text, transitions[-1].outcome
        match outcome:
            case Proved() if len(transitions) < len(blocks):
                return Verdict(False, f"no goals are left for {blocks[len(transitions)]!r}")
            case Proved():
                return self.check_proof(theorem, blocks)
            case Reached():
                return Verdict(False, "goals remain")
            case TacticError(message) | Timeout(message) | Exceeded(_, message) | Crashed(message):
                return Verdict(
                    False, f"{tactic!r}: {message}".strip(), unsettled=_UNSETTLED.get(type(outcome))
                )
            case Rejected(reason):
                return Verdict(False, f"{tactic!r}: {reason}")

    def close(self) -> None:
        """End the process. Safe to call twice."""
        if self._session is not None:
            self._session.close()
        self._backend.stop()

    def _proof(self, theorem: Theorem) -> LeanProof:
        if self._session is not None:
            self._session.close()
        return self._backend.proof(theorem)


@dataclass(slots=True)
class _Node:
    """A state: its parent, the tactic that leads here from it, and its goals in the process `generation`."""

    parent: int
    tactic: str
    goals: Goals
    generation: int


class LeanSession(SearchSession):
    """See `SearchSession`.

    Args:
        proof: The proof of the theorem in a Lean process.
        total_cpu_s: CPU time of the processes so far, in seconds.

    Raises:
        InitError: The theorem cannot be stated, or stating it repeatedly kills the process.
    """

    def __init__(self, proof: LeanProof, total_cpu_s: Callable[[], float]) -> None:
        super().__init__(proof.theorem, guard, total_cpu_s)
        self._proof = proof
        goals = self._begin(proof.begin)
        self._nodes = [_Node(-1, "", goals, proof.generation)]
        self._opened(_lean_state(ROOT, goals))

    def _execute(self, handle: int, text: str) -> Outcome:
        result = self._proof.execute(text, self._nodes[handle].goals.state)
        if not isinstance(result, Goals):
            return result
        if result.goals:
            self._nodes.append(_Node(handle, text, result, self._proof.generation))
            return Reached(_lean_state(len(self._nodes) - 1, result))
        axioms = self._proof.conclude([*(node.tactic for node in self._path(handle)[1:]), text])
        return Proved() if isinstance(axioms, tuple) else axioms

    def _restore(self, handle: int) -> bool:
        """Replay a state that the running process does not have and return whether that succeeded."""
        if self._nodes[handle].generation == self._proof.generation:
            return True
        path = self._path(handle)
        lost = len(path)
        while lost and path[lost - 1].generation != self._proof.generation:
            lost -= 1
        for index in range(lost, len(path)):
            node = path[index]
            if index:
                again = self._proof.execute(node.tactic, path[index - 1].goals.state)
            else:
                again = self._begin(self._proof.begin)
            if not isinstance(again, Goals) or again.goals != node.goals.goals:
                return False
            node.goals, node.generation = again, self._proof.generation
        return True

    def _stop(self) -> None:
        self._proof.stop()

    def _path(self, handle: int) -> list[_Node]:
        path = []
        while handle >= 0:
            path.append(self._nodes[handle])
            handle = path[-1].parent
        return path[::-1]


def _lean_state(handle: int, goals: Goals) -> LeanState:
    # Parsed as recorded states are, so that a policy sees the same format as in training.
    # Lean may print a goal as an empty text; it still counts as a goal.
    first, *others = parse_goals("\n\n".join(goals.goals)) or (Goal((), ""),)
    return LeanState(handle, first, tuple(map(str, others)))
