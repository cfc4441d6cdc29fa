"""Lean 4 over leanprover-community/repl: tactics in its tactic mode, proofs checked in its command mode.

Tactic mode accepts some invalid proofs. So when no goal is left, the whole theorem is elaborated as a command
in the clean environment of its header, under a name that cannot be guessed. It counts as proved if there is
no error and no `sorry`, if its type is that of the bare statement, and if all of its axioms are allowed.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence

from ntp.envs.lean.client import LeanServer
from ntp.envs.lean.env import Goals
from ntp.envs.lean.guard import assemble, held
from ntp.envs.lean.project import LeanProject
from ntp.envs.lean.protocol import Message, Reply, is_out_of_time, parse_axioms
from ntp.errors import InitError
from ntp.sandbox.deaths import AnswerTooLongError, DeadlineExceededError, ProcessDiedError
from ntp.sandbox.limits import Limits
from ntp.types import Exceeded, Rejected, TacticError, Theorem, Timeout

# Lean's three standard axioms; not `sorryAx`, nor `Lean.ofReduceBool` and `Lean.trustCompiler`, which trust
# compiled code.
STANDARD_AXIOMS = ("propext", "Classical.choice", "Quot.sound")

_CHECK_FACTOR = 4


class ReplBackend:
    """See `LeanBackend`.

    Args:
        project: The project and the REPL's command.
        tactic_timeout_s: Seconds for one tactic.
        header_timeout_s: Seconds to load a header.
        limits: Resource limits of the process.
        max_requests: The process is replaced, between two theorems, after this many requests.
        axioms: Axioms that a proof may use.
    """

    def __init__(
        self,
        project: LeanProject,
        tactic_timeout_s: float,
        header_timeout_s: float,
        limits: Limits,
        max_requests: int,
        axioms: Iterable[str] = STANDARD_AXIOMS,
    ) -> None:
        self._project, self._timeout_s = project, tactic_timeout_s
        self._axioms = frozenset(axioms)
        self._server = LeanServer(project, limits, header_timeout_s, max_requests)

    @property
    def pid(self) -> int:
        """See `LeanBackend.pid`."""
        return self._server.pid

    @property
    def memory_mb(self) -> float:
        """See `LeanBackend.memory_mb`."""
        return self._server.memory_mb

    @property
    def cpu_s(self) -> float:
        """See `LeanBackend.cpu_s`."""
        return self._server.cpu_s

    def proof(self, theorem: Theorem) -> ReplProof:
        """See `LeanBackend.proof`."""
        self._server.recycle()
        return ReplProof(self._server, self._project, theorem, self._timeout_s, self._axioms)

    def stop(self) -> None:
        """See `LeanBackend.stop`."""
        self._server.stop()


class ReplProof:
    """See `LeanProof`."""

    def __init__(
        self,
        server: LeanServer,
        project: LeanProject,
        theorem: Theorem,
        timeout_s: float,
        axioms: frozenset[str],
    ) -> None:
        self.theorem = theorem
        self._server, self._timeout_s, self._allowed = server, timeout_s, axioms
        self._header, statement = project.locate(theorem)
        # A new random name for every session: a tactic can neither use the theorem nor declare another one
        # with its name.
        self._name = f"ntp_{secrets.token_hex(8)}"
        self._full_name = statement.namespace + self._name
        self._statement = statement.named(self._name)
        self._type: str | None = None

    @property
    def generation(self) -> int:
        """See `LeanProof.generation`."""
        return self._server.generation

    def begin(self) -> Goals:
        """See `LeanProof.begin`."""
        reply = self._state()
        (left,) = reply.sorries
        assert left.proof_state is not None
        return Goals(left.proof_state, (left.goal,))

    def execute(self, tactic: str, state: int) -> Goals | TacticError | Timeout | Exceeded | Rejected:
        """See `LeanProof.execute`."""
        try:
            reply = self._server.tactic(held(tactic), state, self._timeout_s)
        except DeadlineExceededError:
            return Timeout("killed")
        except AnswerTooLongError as error:
            self._server.stop()
            return Exceeded(error.limit, str(error))
        if reply.error:
            return Timeout(reply.error) if is_out_of_time(reply.error) else TacticError(reply.error)
        if reply.uses_sorry:
            return Rejected("leaves a sorry")
        if reply.proof_state is None:
            raise ProcessDiedError("the REPL's answer to a tactic has no state")
        return Goals(reply.proof_state, reply.goals)

    def conclude(self, tactics: Sequence[str]) -> tuple[str, ...] | Timeout | Rejected:
        """See `LeanProof.conclude`."""
        if self._type is None:
            self._state()
        limit_s = self._timeout_s * (_CHECK_FACTOR + len(tactics))
        try:
            env = self._server.header(self._header)
            declared = self._server.command(assemble(self._statement, tactics), env, limit_s)
            reason = _refusal(declared)
            if reason:
                return Timeout(reason) if is_out_of_time(reason) else Rejected(f"on re-check: {reason}")
            answers = self._query(declared.env, f"#print axioms {self._full_name}\n")
        except DeadlineExceededError:
            return Timeout("re-check")
        return self._check_answers(answers)

    def stop(self) -> None:
        """See `LeanProof.stop`."""
        self._server.stop()

    def _state(self) -> Reply:
        """State the theorem with a `sorry` as its proof, and store its type."""
        env = self._server.header(self._header)
        try:
            reply = self._server.command(f"{self._statement} := by sorry", env, self._server_timeout_s)
            if reply.error or len(reply.sorries) != 1 or reply.sorries[0].proof_state is None:
                reason = " ".join(reply.error.split()) or f"it has {len(reply.sorries)} sorries, not one"
                raise InitError(f"{self.theorem.file}: {self.theorem.id} cannot be stated: {reason}")
            if self._type is None:
                self._type = self._query(reply.env, "")[-1].data
        except DeadlineExceededError as error:
            raise InitError(f"{self.theorem.file}: {self.theorem.id} cannot be stated: {error}") from None
        return reply

    @property
    def _server_timeout_s(self) -> float:
        return _CHECK_FACTOR * self._timeout_s

    def _query(self, env: int | None, query: str) -> tuple[Message, ...]:
        """Lean's answers to a query (empty for none) and, last, to `#check` of the theorem: its type."""
        reply = self._server.command(f"{query}#check @{self._full_name}", env, self._server_timeout_s)
        answers = tuple(message for message in reply.messages if message.severity in ("info", "error"))
        if reply.error or len(answers) != 1 + bool(query):
            raise ProcessDiedError(f"no answer about the theorem: {reply.error or answers}")
        return answers

    def _check_answers(self, answers: tuple[Message, ...]) -> tuple[str, ...] | Rejected:
        """The axioms of the declared proof if they are allowed and its type is that of the statement."""
        axioms = parse_axioms(answers[0].data, self._name)
        if axioms is None:
            return Rejected(f"#print axioms gave {answers[0].data!r}")
        extra = sorted(set(axioms) - self._allowed)
        if extra:
            return Rejected(f"rests on {', '.join(extra)}")
        if answers[1].data != self._type:
            return Rejected("the proof changed the theorem's type")
        return axioms


def _refusal(declared: Reply) -> str:
    """Why Lean does not accept a declaration; empty if it does."""
    if declared.error:
        return declared.error
    return "declaration uses sorry" if declared.uses_sorry else ""
