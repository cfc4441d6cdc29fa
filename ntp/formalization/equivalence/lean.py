"""Equivalence of Lean statements by the stages of BEq+ (Poiroux et al. 2025), checked by Lean's kernel.

The given statement is an axiom in front of the wanted one. A proof counts if that axiom is among those that
it rests on, so that it was used, and if the same script fails without it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from ntp.envs.lean.factory import LeanReplFactory
from ntp.envs.lean.guard import guard
from ntp.envs.lean.syntax import LeanSyntaxError, Statement, parse_statement
from ntp.errors import InitError
from ntp.formalization.equivalence.comparison import EquivalenceOptions
from ntp.formalization.equivalence.outcome import Judgement, Outcome
from ntp.formalization.equivalence.stages import Stage
from ntp.types import Rejected, Span, Theorem

GIVEN = "ntp_given"
_FILE = "equivalence.lean"
_NOWHERE = Span(0, 0)
_SOLVERS = "first | assumption | tauto | simp_all_arith! | noncomm_ring | exact?"

STAGES = (
    Stage("exact", f"exact {GIVEN}"),
    Stage("apply", f"apply {GIVEN}"),
    Stage("exact?", "exact?"),
    Stage("solvers", f"intros\nsymm_saturate\napply {GIVEN} <;> ({_SOLVERS})"),
    Stage("apply_rules", f"intros\nhave conclusion := by apply_rules [{GIVEN}]\n{_SOLVERS}"),
    *(Stage(f"convert {n}", f"intros\nconvert {GIVEN} using {n} <;> ({_SOLVERS})") for n in range(5)),
)


class LeanEquivalence:
    """Compares Lean statements; holds one REPL.

    Args:
        factory: How the REPL is started, and the axioms that proofs may use. Its timeout is that of a stage.
        options: The budget; `theory` and the other timeouts are Coq's only.
    """

    def __init__(self, factory: LeanReplFactory, options: EquivalenceOptions | None = None) -> None:
        self._options = options or EquivalenceOptions()
        self._env = replace(factory, axioms=(*factory.axioms, GIVEN))()

    def judge(self, header: str, reference: str, candidates: Sequence[str]) -> list[Judgement]:
        """Compare candidates with a reference.

        Args:
            header: Lean text before the statements, trusted; it leaves no namespace open.
            reference: A declaration without a proof.
            candidates: Declarations that a model wrote, hostile.

        Raises:
            InitError: The reference cannot be stated after the header.
            EnvError: Lean or its REPL is missing.
        """
        wanted = read_statement(reference)
        if isinstance(wanted, Rejected):
            raise InitError(f"the reference is no statement: {wanted.reason}")
        self._state(header, wanted)
        return [self._judge(header, wanted, candidate) for candidate in candidates]

    def close(self) -> None:
        """End the process. Safe to call twice."""
        self._env.close()

    def _judge(self, header: str, reference: Statement, text: str) -> Judgement:
        started = time.monotonic()
        candidate = read_statement(text)
        if isinstance(candidate, Rejected):
            return Judgement(Outcome.ILL_TYPED, reason=candidate.reason)
        try:
            self._state(header, candidate)
        except InitError as error:
            return Judgement(Outcome.ILL_TYPED, reason=" ".join(str(error).split()))
        deadline = started + self._options.budget_s
        forward = self._prove(header, candidate, reference, deadline)
        backward = self._prove(header, reference, candidate, deadline)
        now = time.monotonic()
        return Judgement.of(forward, backward, exhausted=now > deadline, seconds=now - started)

    def _prove(self, header: str, given: Statement, wanted: Statement, deadline: float) -> str:
        """The first stage that proves the wanted statement from the given one, and not from nothing."""
        for stage in STAGES:
            if time.monotonic() > deadline:
                break
            context = f"{header}\naxiom {GIVEN}{given.signature}"
            if self._uses(context, wanted, stage) and not self._proves(
                f"{header}\naxiom {GIVEN} : True", wanted, stage
            ):
                return stage.name
        return ""

    def _uses(self, context: str, wanted: Statement, stage: Stage) -> bool:
        verdict = self._env.check_script(_theorem(context, wanted), stage.script).verdict
        return verdict.accepted and GIVEN in verdict.axioms

    def _proves(self, context: str, wanted: Statement, stage: Stage) -> bool:
        return self._env.check_script(_theorem(context, wanted), stage.script).verdict.accepted

    def _state(self, header: str, statement: Statement) -> None:
        self._env.open(_theorem(header, statement)).close()


def read_statement(text: str) -> Statement | Rejected:
    """The statement in a text, or why it is refused: it must be one declaration and nothing else."""
    try:
        statement = parse_statement(text)
    except LeanSyntaxError as error:
        return Rejected(str(error))
    if statement.prefix.strip():
        return Rejected("commands stand before it")
    if GIVEN in text:
        return Rejected(f"{GIVEN} is not its own name")
    # As a tactic's text: no command, nothing that runs code, no bracket, string or comment left open.
    guarded = guard(f"exact {statement.signature}")
    return guarded if isinstance(guarded, Rejected) else statement


def _theorem(context: str, statement: Statement) -> Theorem:
    text = f"theorem ntp_wanted{statement.signature}"
    return Theorem("ntp_wanted", _FILE, text, _NOWHERE, _NOWHERE, context)
