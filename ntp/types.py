"""The vocabulary of the package: theorems, proof states, tactics, outcomes and trajectories.

Everything here is frozen and depends only on the standard library, so that every package can use it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open range `[begin, end)` of character (code point) offsets into a source file."""

    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Theorem:
    """A statement to prove, located in its source file.

    Attributes:
        id: Unique within a data set and stable between extractions: the fully qualified name.
        file: Path of the source file relative to the project's root.
        statement: Source text of the declaration sentence, equal to the file's text over `declaration`.
        declaration: Position of the statement in the file.
        proof: From the end of the statement to the end of the closing sentence (`Qed.`) in the file.
        context: The text before the statement, for theorems outside the files of a project (benchmarks such
            as miniF2F); empty for the others, whose context is their file.
    """

    id: str
    file: str
    statement: str
    declaration: Span
    proof: Span
    context: str = ""


@dataclass(frozen=True, slots=True)
class Goal:
    """One goal: its hypotheses in order (each `name : type`, as printed) and its conclusion."""

    hypotheses: tuple[str, ...]
    conclusion: str

    def __str__(self) -> str:
        return "\n".join((*self.hypotheses, f"⊢ {self.conclusion}"))


@dataclass(frozen=True)
class ProofState:
    """An open proof.

    Attributes:
        handle: Identifies the state within the session that produced it.
        goal: The first goal, the one that the next tactic acts on.
        other_goals: The remaining goals, in order, printed.
    """

    handle: int
    goal: Goal
    other_goals: tuple[str, ...] = ()

    @cached_property
    def text(self) -> str:
        """The state as a policy reads it: the first goal, which is the one that a Coq tactic acts on."""
        return str(self.goal)

    @property
    def unread_goals(self) -> tuple[str, ...]:
        """The goals that are not in `text`, in order, printed."""
        return self.other_goals

    @cached_property
    def key(self) -> str:
        """All goals, printed: searches merge states with equal keys."""
        return "\n\n".join((str(self.goal), *self.other_goals))


class LeanState(ProofState):
    """An open proof in Lean, where a tactic may act on any goal and a policy reads all of them."""

    @cached_property
    def text(self) -> str:
        """All goals, as Lean prints them."""
        return self.key

    @property
    def unread_goals(self) -> tuple[str, ...]:
        """None: a policy reads all goals."""
        return ()


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation: who says what."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Tactic:
    """A tactic proposed by a policy.

    Attributes:
        text: What is sent to the prover.
        token_ids: The sampled tokens, without the stop token. Empty for tactics that no model proposed.
        log_prob: log P_F(tactic | state) in nats, untempered, the stop token included.
        log_correct: Log-probability, from a verifier, that it leads to a provable state, in nats; 0 without
            a verifier.
        log_q: Log-probability under the distribution that it was sampled from, tempered and restricted by
            top-p, in nats; what sampling without replacement excludes.
    """

    text: str
    token_ids: tuple[int, ...] = ()
    log_prob: float = 0.0
    log_correct: float = 0.0
    log_q: float = 0.0


@dataclass(frozen=True, slots=True)
class Reached:
    """The tactic was accepted and goals remain.

    Attributes:
        state: The state after it.
        found: What was run in the end, if the tactic was a search for it (`hammer`) and is not to be run
            again; empty for other tactics.
    """

    state: ProofState
    found: str = ""


@dataclass(frozen=True, slots=True)
class Proved:
    """No goal remains and the kernel accepted the whole proof with no axiom beyond the reference's.

    Attributes:
        found: As in `Reached`.
    """

    found: str = ""


@dataclass(frozen=True, slots=True)
class TacticError:
    """The prover refused the tactic."""

    message: str


@dataclass(frozen=True, slots=True)
class Timeout:
    """The tactic ran past its time limit."""

    message: str = ""


@dataclass(frozen=True, slots=True)
class Crashed:
    """The prover died, also in a second try (out of memory, say); nothing is known about the tactic."""

    message: str


@dataclass(frozen=True, slots=True)
class Exceeded:
    """The prover was stopped at this tactic because it exceeded a limit, also in a second try.

    Attributes:
        limit: The limit: "processes", "memory", "scratch", "file" or "answer".
        message: Details in one line.
    """

    limit: str
    message: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """Refused by the guard before the prover saw it, or by the kernel check after the last goal."""

    reason: str


Outcome = Reached | Proved | TacticError | Timeout | Exceeded | Crashed | Rejected


def run_tactic(tactic: Tactic, outcome: Outcome) -> Tactic:
    """The tactic that belongs in a proof: the one that was tried, or what it found (`Reached.found`)."""
    found = outcome.found if isinstance(outcome, Reached | Proved) else ""
    return replace(tactic, text=found) if found else tactic


@dataclass(frozen=True, slots=True)
class Transition:
    """One step of a trajectory: a tactic, the state it was tried in, and its outcome."""

    state: ProofState
    tactic: Tactic
    outcome: Outcome


class Status(StrEnum):
    """How a trajectory ended. TIMEOUT, EXCEEDED and CRASHED are never merged with STUCK."""

    PROVED = "proved"
    STUCK = "stuck"
    TRUNCATED = "truncated"
    TIMEOUT = "timeout"
    EXCEEDED = "exceeded"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True)
class Trajectory:
    """A whole tactic sequence from a theorem's root state."""

    theorem: Theorem
    transitions: tuple[Transition, ...]
    status: Status

    @property
    def tactics(self) -> tuple[str, ...]:
        """The tactic texts in order."""
        return tuple(t.tactic.text for t in self.transitions)

    @property
    def log_prob(self) -> float:
        """Sum of the tactics' log-probabilities, in nats."""
        return sum(t.tactic.log_prob for t in self.transitions)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The kernel's verdict on a complete proof, replayed from a clean state.

    Attributes:
        accepted: Whether the proof counts.
        reason: Why it was not accepted, in one line; empty if it was.
        unsettled: TIMEOUT, EXCEEDED or CRASHED if the replay did not finish, which is no evidence about the
            proof; None if it did.
        axioms: Names of the axioms that the accepted proof depends on.
        term: Digest of the kernel's proof term up to names of bound variables; empty if the proof was not
            accepted, or if the term is unknown (too long to print, or the prover does not print terms).
    """

    accepted: bool
    reason: str = ""
    axioms: tuple[str, ...] = field(default=())
    unsettled: Status | None = None
    term: str = ""


@dataclass(frozen=True, slots=True)
class ScriptResult:
    """How far a whole proof script went.

    Attributes:
        transitions: The sentences that were run, bullets and braces included, each in the state before it.
            All but the last were accepted. A state without goals has an empty conclusion.
        verdict: Whether the script counts as a proof, and why not.
    """

    transitions: tuple[Transition, ...]
    verdict: Verdict

    @property
    def accepted(self) -> tuple[str, ...]:
        """The sentences before the first that failed: all of them if none did."""
        done = self.transitions if self.failed is None else self.transitions[:-1]
        return tuple(t.tactic.text for t in done)

    @property
    def failed(self) -> Transition | None:
        """The first sentence that failed, in the state before it; None if there is none."""
        if self.transitions and not isinstance(self.transitions[-1].outcome, Reached | Proved):
            return self.transitions[-1]
        return None
