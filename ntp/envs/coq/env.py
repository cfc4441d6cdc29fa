"""Coq as a proof environment: sessions whose states form a tree, and whole proofs checked by the kernel."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ntp.envs.coq.document import CoqDocument
from ntp.envs.coq.preamble import NO_PREAMBLE, Preamble
from ntp.envs.coq.project import CoqProject
from ntp.envs.coq.proof import CoqProof, axiom_name
from ntp.envs.coq.protocol import Goals
from ntp.envs.coq.syntax import guard, guard_sentence, read_script
from ntp.envs.session import ROOT, SearchSession
from ntp.errors import ConfigError
from ntp.sandbox.deaths import ProcessDiedError, RetryBudget
from ntp.sandbox.limits import Limits
from ntp.types import (
    Exceeded,
    Goal,
    Outcome,
    ProofState,
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
    run_tactic,
)

# A whole proof is checked with a tactic timeout this many times that of the search.
_REPLAY_FACTOR = 4
# A prover that is killed while it prints the term of a proof is tried again this often: printing may be why.
_KILLS_FOR_TERMS = 3


class CoqEnv:
    """One coqidetop, started when first needed, with the file of the current theorem loaded.

    Args:
        project: The sources.
        tactic_timeout_s: Whole seconds for one tactic (Coq's `Timeout` takes no fractions).
        limits: Resource limits of the process. A process that uses over half of its memory limit is replaced
            before the next theorem.
        script_timeout_s: Seconds for all sentences of a whole script.
        preamble: What runs before the first tactic of every proof.

    Raises:
        ConfigError: The timeout is not a positive whole number.
    """

    def __init__(
        self,
        project: CoqProject,
        tactic_timeout_s: int = 2,
        limits: Limits | None = None,
        script_timeout_s: float = 60.0,
        preamble: Preamble = NO_PREAMBLE,
    ) -> None:
        if tactic_timeout_s != int(tactic_timeout_s) or tactic_timeout_s < 1:
            raise ConfigError(f"tactic_timeout_s={tactic_timeout_s}: must be a whole number, at least 1")
        self.project = project
        self._timeout_s, self._script_timeout_s = int(tactic_timeout_s), script_timeout_s
        self._limits, self._preamble = limits or Limits(), preamble
        self._ended_cpu_s = 0.0
        self._document: CoqDocument | None = None
        self._session: CoqSession | None = None
        self._references: dict[Theorem, frozenset[str]] = {}

    @property
    def memory_mb(self) -> float:
        """Resident memory of the process in MiB; 0 if none runs."""
        return self._document.memory_mb if self._document else 0.0

    @property
    def cpu_s(self) -> float:
        """CPU time of its processes so far, and of those that they started (`hammer`'s), in seconds."""
        return self._ended_cpu_s + (self._document.cpu_s if self._document else 0.0)

    @property
    def pid(self) -> int:
        """Process id of the running coqidetop; 0 if none runs."""
        return self._document.pid if self._document else 0

    def open(self, theorem: Theorem) -> CoqSession:
        """See `ProofEnv.open`."""
        self._session = CoqSession(self, self._proof(theorem, self._timeout_s))
        return self._session

    def check_proof(self, theorem: Theorem, tactics: Sequence[str]) -> Verdict:
        """See `ProofEnv.check_proof`. Closes the open session. Bullets and braces count as tactics.

        The process is kept for the next proof only if it accepted this one.
        """
        # A tactic that was fast in search may be slow on a busier machine, and is still part of a proof.
        proof = self._proof(theorem, self._timeout_s * _REPLAY_FACTOR)
        verdict = self._check_again(proof, tactics).verdict
        if not verdict.accepted:
            proof.document.stop()
        return verdict

    def check_script(self, theorem: Theorem, text: str) -> ScriptResult:
        """See `ProofEnv.check_script`. Closes the open session."""
        proof = self._proof(theorem, self._timeout_s)
        found = read_script(text, proof.opening)
        if isinstance(found, Rejected):
            return ScriptResult((), Verdict(False, found.reason))
        return self._check_again(proof, found, self._script_timeout_s)

    def close(self) -> None:
        """End the process. Safe to call twice."""
        if self._session is not None:
            self._session.close()
        if self._document is not None:
            self._document.stop()
            self._ended_cpu_s += self._document.cpu_s
            self._document = None

    def conclude(self, proof: CoqProof) -> frozenset[str] | Timeout | Rejected:
        """Close a proof that has no goals left and compare its assumptions with those of the reference proof.

        Returns:
            Its assumptions if the kernel accepts it and the file's own proof uses all of them, else why not.
        """
        assumptions = proof.conclude()
        if not isinstance(assumptions, frozenset):
            return assumptions
        extra = assumptions - self._reference(proof) if assumptions else assumptions
        if extra:
            return Rejected(f"uses what the reference proof does not: {'; '.join(sorted(extra))}")
        return assumptions

    def _proof(self, theorem: Theorem, timeout_s: int) -> CoqProof:
        if self._session is not None:
            self._session.close()
        document = self._document
        if document is None or document.file != theorem.file:
            self.close()
            document = self._document = CoqDocument(self.project, theorem.file, self._limits)
        elif document.memory_mb > self._limits.memory_mb / 2:
            document.stop()
        return CoqProof(document, theorem, timeout_s, self._preamble)

    def _check_again(
        self, proof: CoqProof, sentences: Sequence[str], limit_s: float = math.inf
    ) -> ScriptResult:
        """Check sentences, again with another process if one dies."""
        budget, for_terms = RetryBudget(), RetryBudget(_KILLS_FOR_TERMS, died=0)
        while True:
            transitions: list[Transition] = []
            try:
                verdict = self._check(proof, sentences, transitions, limit_s, for_terms)
            except ProcessDiedError as death:
                proof.document.stop()
                if budget.allows(death):
                    continue
                unsettled = Status.EXCEEDED if death.limit else Status.CRASHED
                verdict = Verdict(False, f"the prover died: {death}", unsettled=unsettled)
            return ScriptResult(tuple(transitions), verdict)

    def _check(
        self,
        proof: CoqProof,
        sentences: Sequence[str],
        transitions: list[Transition],
        limit_s: float,
        for_terms: RetryBudget,
    ) -> Verdict:
        """Run sentences until one fails, appending what becomes of each, then let the kernel check."""
        goals = proof.begin()
        deadline = time.monotonic() + limit_s
        for text in sentences:
            command = guard_sentence(text)
            result, found = (command, "") if isinstance(command, Rejected) else proof.attempt(command)
            if isinstance(result, Goals) and time.monotonic() > deadline:
                result = Timeout(f"the script runs for over {limit_s:g} s")
            state = _proof_state(len(transitions), goals)
            if not isinstance(result, Goals):
                transitions.append(Transition(state, Tactic(text), result))
                return Verdict(False, f"{text!r}: {_reason(result)}", unsettled=_unsettled(result))
            goals = result
            reached = Reached(_proof_state(len(transitions) + 1, goals), found)
            transitions.append(Transition(state, run_tactic(Tactic(text), reached), reached))
        if not goals.complete:
            return Verdict(False, "goals remain")
        assumptions = self.conclude(proof)
        found = transitions[-1].outcome.found if isinstance(transitions[-1].outcome, Reached) else ""
        concluded = Proved(found) if isinstance(assumptions, frozenset) else assumptions
        transitions[-1] = replace(transitions[-1], outcome=concluded)
        if not isinstance(assumptions, frozenset):
            return Verdict(False, _reason(assumptions), unsettled=_unsettled(assumptions))
        axioms = tuple(sorted(map(axiom_name, assumptions)))
        try:
            return Verdict(True, axioms=axioms, term=proof.term_digest())
        except ProcessDiedError as death:
            if for_terms.allows(death):
                raise
            return Verdict(True, axioms=axioms)

    def _reference(self, proof: CoqProof) -> frozenset[str]:
        # Needed only for a proof with assumptions; most have none.
        if proof.theorem not in self._references:
            self._references[proof.theorem] = proof.reference_assumptions()
        return self._references[proof.theorem]


@dataclass(frozen=True, slots=True)
class _Node:
    """A proof state: its parent, the tactic that leads here from it, and a hash of the goals."""

    parent: int
    command: str
    digest: int


class CoqSession(SearchSession):
    """See `SearchSession`.

    Coq keeps one line of states at a time. A step from a state that is not on it goes back to the common
    ancestor and replays from there.
    """

    def __init__(self, env: CoqEnv, proof: CoqProof) -> None:
        super().__init__(proof.theorem, guard, lambda: env.cpu_s)
        self._env, self._proof = env, proof
        self._line: list[int] = []
        self._states: list[int] = []
        self._generation = -1
        goals = self._reload()
        self._nodes: list[_Node] = [_Node(-1, "", hash(goals))]
        self._opened(_proof_state(ROOT, goals))

    def _execute(self, handle: int, text: str) -> Outcome:
        top = self._proof.document.top
        before = self._states[-1]
        result, found = self._proof.attempt(text)
        if not isinstance(result, Goals):
            if not isinstance(result, TacticError | Timeout):
                top.edit_at(before)
            return result
        if not result.complete:
            self._nodes.append(_Node(handle, found or text, hash(result)))
            self._line.append(len(self._nodes) - 1)
            self._states.append(top.tip)
            return Reached(_proof_state(len(self._nodes) - 1, result), found)
        assumptions = self._env.conclude(self._proof)
        if self._is_current():
            top.edit_at(before)
        return Proved(found) if isinstance(assumptions, frozenset) else assumptions

    def _restore(self, handle: int) -> bool:
        """Make a state Coq's tip and return whether that succeeded."""
        if not self._is_current():
            self._reload()
        elif self._line[-1] == handle:
            return True
        path = self._path(handle)
        common = 1
        while common < min(len(path), len(self._line)) and path[common] == self._line[common]:
            common += 1
        del self._line[common:], self._states[common:]
        self._proof.document.top.edit_at(self._states[-1])
        missing = path[common:]
        if missing:
            replayed = self._proof.replay([self._nodes[node].command for node in missing])
            if replayed is None:
                return False
            states, goals = replayed
            self._line += missing
            self._states += states
            # Tactics may depend on time (`timeout 1 ...`), so the same script may lead to other goals.
            return hash(goals) == self._nodes[handle].digest
        return True

    def _stop(self) -> None:
        self._proof.document.stop()

    def _reload(self) -> Goals:
        """Open the proof from the file."""
        goals = self._begin(self._proof.begin)
        document = self._proof.document
        self._line, self._states = [ROOT], [document.top.tip]
        self._generation = document.generation
        return goals

    def _is_current(self) -> bool:
        return self._generation == self._proof.document.generation

    def _path(self, handle: int) -> list[int]:
        path = []
        while handle >= 0:
            path.append(handle)
            handle = self._nodes[handle].parent
        return path[::-1]


def _proof_state(handle: int, goals: Goals) -> ProofState:
    # Braces may still have to be closed when no goal is left.
    visible = (*goals.focused, *goals.background) or (Goal((), ""),)
    return ProofState(handle, visible[0], tuple(str(goal) for goal in visible[1:]))


def _unsettled(result: TacticError | Timeout | Exceeded | Rejected) -> Status | None:
    match result:
        case Timeout():
            return Status.TIMEOUT
        case Exceeded():
            return Status.EXCEEDED
        case _:
            return None


def _reason(result: TacticError | Timeout | Exceeded | Rejected) -> str:
    match result:
        case TacticError(message) | Exceeded(_, message):
            return " ".join(message.split())
        case Rejected(reason):
            return reason
        case Timeout(message):
            return f"timeout {message}".strip()
