"""Proofs that go on from a position in a text: sessions to search in, and checks of what was found."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from ntp.envs.coq.env import CoqEnv, CoqSession
from ntp.envs.coq.live import LiveDocument
from ntp.envs.coq.project import CoqProject
from ntp.envs.coq.proof import CoqProof, axiom_name, one_line
from ntp.envs.coq.protocol import Failure, Goals
from ntp.envs.coq.syntax import is_structure
from ntp.envs.coq.tokens import tokens
from ntp.envs.live import NoProofError, ReplayError, TextCheck, View
from ntp.errors import InitError
from ntp.sandbox.deaths import DeadlineExceededError, ProcessDiedError
from ntp.sandbox.limits import Limits
from ntp.types import (
    Exceeded,
    Outcome,
    Proved,
    Reached,
    Rejected,
    ScriptResult,
    Span,
    TacticError,
    Theorem,
    Timeout,
)

_ANSWER_TIMEOUT_S = 10.0
_ASSUMES = re.compile(r"(?:Axioms?|Parameters?|Conjectures?|Hypothes[ie]s|Variables?|Context)\b")
_STATES = re.compile(r"(?:Lemma|Theorem|Fact|Remark|Corollary|Proposition|Example|Definition)\b")
# What these tactics do is only looked at by Qed, which does not come before all other goals are closed.
_UNCHECKED = re.compile(r"(?<![\w'])(?:exact_no_check|vm_cast_no_check)(?![\w'])")


class CoqContinuation(CoqProof):
    """The rest of a proof: what a text has of it, up to the end of `theorem.proof`, has been executed."""

    document: LiveDocument
    last: Goals = Goals(())

    def begin(self) -> Goals:
        """Execute the text up to where the proof goes on.

        Raises:
            ReplayError: A sentence before is refused.
            NoProofError: No goal is in focus there.
        """
        self.document.seek(self.theorem.proof.end)
        try:
            goals = self.document.top.goals(_ANSWER_TIMEOUT_S)
            path, name = self.document.top.status(_ANSWER_TIMEOUT_S)
        except DeadlineExceededError as error:
            raise ProcessDiedError(str(error)) from None
        if isinstance(goals, Failure):
            raise InitError(f"{self.theorem.id}: {one_line(goals)}")
        if goals is None or not goals.focused or name is None:
            raise NoProofError("no goal is in focus here")
        self._path, self._name = path, name
        self.num_given_up, self.last = goals.num_given_up, goals
        return goals

    def execute(self, command: str) -> Goals | TacticError | Timeout | Exceeded | Rejected:
        """See `CoqProof.execute`. Refuses what only Qed would refuse, since Qed may be far away."""
        if _UNCHECKED.search(command):
            return Rejected("a tactic that only Qed checks")
        before = self.last
        result = super().execute(command)
        if not isinstance(result, Goals):
            return result
        if num_open(result) < num_open(before) and not self._is_guarded():
            return Rejected("a recursive call that is not guarded")
        self.last = result
        return result

    def term_digest(self) -> str:
        """None is printed: nobody compares proofs here."""
        return ""

    @property
    def bullets(self) -> list[str]:
        """Bullets of the text's proof, latest first, each once; what may follow when a goal is closed."""
        span = Span(self.theorem.declaration.end, self.theorem.proof.end)
        found = [s.text for s in self.document.between(span.begin, span.end) if is_structure(s.text)]
        return list(dict.fromkeys(text for text in reversed(found) if text[0] in "-+*"))

    @property
    def assumed(self) -> frozenset[str]:
        """Names that the text itself assumes before this proof, by axioms or by admitted proofs."""
        names: set[str] = set()
        before, statement = self.document.between(0, self.theorem.declaration.begin), ""
        for sentence in before:
            if _ASSUMES.match(sentence.text):
                names.update(token.text for token in tokens(sentence.text) if token.kind == "name")
            if sentence.text.startswith("Admitted"):
                names.update(statement.split()[1:2])
            if _STATES.match(sentence.text):
                statement = sentence.text.replace(":", " ").replace("(", " ")
        return frozenset(names)

    def _is_guarded(self) -> bool:
        try:
            return not isinstance(self.document.top.query("Guarded.", self.timeout_s), Failure)
        except DeadlineExceededError as error:
            raise ProcessDiedError(str(error)) from None


def num_open(goals: Goals) -> int:
    """Goals that are still to be closed, in focus or not."""
    return len(goals.focused) + len(goals.background) + goals.num_shelved


class CoqContinuationSession(CoqSession):
    """A search from a position in a text. Where a tactic closes the goal in focus, the next one is focused.

    Coq then asks for the next bullet or for a closing brace; the session writes it.
    """

    def __init__(self, env: LiveCoqEnv, proof: CoqContinuation) -> None:
        self._closing: dict[tuple[int, str], tuple[str, ...]] = {}
        super().__init__(env, proof)
        self._continuation = proof

    def script(self, handle: int, last: str = "") -> tuple[str, ...]:
        """The sentences that lead from the root to a state, and on with a tactic that was run in it.

        Bullets and braces that the session wrote are among them.
        """
        commands = [self._nodes[node].command for node in self._path(handle)[1:]]
        if last:
            commands += [last, *self._closing.get((handle, last.strip()), ())]
        return tuple(command.strip().removeprefix("1: ") for command in commands)

    def _execute(self, handle: int, text: str) -> Outcome:
        self._continuation.last = self._goals_at_tip()
        outcome = super()._execute(handle, text)
        key = (handle, text.removeprefix("1: "))
        written: list[str] = []
        while isinstance(outcome, Reached) and not self._continuation.last.focused:
            following = self._focus_next(outcome.state.handle)
            if following is None:
                break
            sentence, outcome = following
            written.append(sentence)
        self._closing[key] = tuple(written)
        return outcome

    def _focus_next(self, handle: int) -> tuple[str, Outcome] | None:
        for sentence in ["}", *self._continuation.bullets]:
            outcome = super()._execute(handle, sentence)
            if isinstance(outcome, Reached | Proved):
                return sentence, outcome
        return None

    def _goals_at_tip(self) -> Goals:
        goals = self._continuation.document.top.goals(_ANSWER_TIMEOUT_S)
        return goals if isinstance(goals, Goals) else Goals(())


class LiveCoqEnv(CoqEnv):
    """One prover for one text that is being written.

    Args:
        project: Gives load paths and options.
        tactic_timeout_s: As for `CoqEnv`.
        limits: As for `CoqEnv`.
        text_timeout_s: Seconds for a sentence of the text.
        axioms: Names of the axioms that proofs may use beside those that the text itself assumes.

    Attributes:
        document: The text.
    """

    def __init__(
        self,
        project: CoqProject,
        tactic_timeout_s: int,
        limits: Limits,
        text_timeout_s: float,
        axioms: Collection[str] = (),
    ) -> None:
        super().__init__(project, tactic_timeout_s, limits)
        self.document = self._document = LiveDocument(project, limits, text_timeout_s)
        self._axioms = frozenset(axioms)

    def edit(self, text: str) -> None:
        """See `LiveEnv.edit`."""
        self.document.edit(text)

    def view(self, offset: int) -> View:
        """See `LiveEnv.view`."""
        document, problem = self.document, None
        num = document.num_before(offset)
        try:
            goals = document.goals_after(num)
        except ReplayError as error:
            problem = error.problem
            num = document.num_before(problem.span.begin)
            goals = document.goals_after(num)
        if goals is None:
            return View(problem=problem)
        opener = document.opener(num)
        statement = "" if opener is None else document.sentences[opener].text
        return View(goals.focused, goals.background, statement, problem, goals.num_given_up)

    def check_text(self) -> TextCheck:
        """See `LiveEnv.check_text`."""
        document = self.document
        found = self.view(len(document.source))
        problem = found.problem or document.unfinished
        if problem is not None or found.statement:
            return TextCheck(problem, found.statement)
        return TextCheck(axioms=document.axioms())

    def theorem_at(self, offset: int) -> Theorem:
        """See `LiveEnv.theorem_at`."""
        document = self.document
        num = document.num_before(offset)
        opener = document.opener(num)
        if opener is None:
            raise NoProofError("no proof is open here")
        sentence = document.sentences[opener]
        end = document.sentences[num - 1].span.end
        return Theorem("the proof", document.file, sentence.text, sentence.span, Span(sentence.span.end, end))

    def open(self, theorem: Theorem) -> CoqContinuationSession:
        """Search from the end of what the text has of a proof."""
        self._session = session = CoqContinuationSession(self, self._proof(theorem, self._timeout_s))
        return session

    def check_rest(self, theorem: Theorem, sentences: Sequence[str]) -> ScriptResult:
        """Replay the rest of a proof from where it begins, and let the kernel check the whole proof."""
        return self._check_again(self._proof(theorem, self._timeout_s * 4), sentences)

    def conclude(self, proof: CoqProof) -> frozenset[str] | Timeout | Rejected:
        """As `CoqEnv.conclude`; the axioms that the text assumes, and those of the config, may be used."""
        assumptions = proof.conclude()
        if not isinstance(assumptions, frozenset) or not assumptions:
            return assumptions
        assert isinstance(proof, CoqContinuation)
        allowed = self._axioms | proof.assumed
        extra = sorted(a for a in assumptions if axiom_name(a) not in allowed)
        if extra:
            return Rejected(f"uses axioms that the text does not assume: {'; '.join(extra)}")
        return assumptions

    def close(self) -> None:
        """End the process. Safe to call twice."""
        if self._session is not None:
            self._session.close()
        self.document.stop()

    def _proof(self, theorem: Theorem, timeout_s: int) -> CoqContinuation:
        if self._session is not None:
            self._session.close()
        if self.document.memory_mb > self._limits.memory_mb / 2:
            self.document.stop()
        return CoqContinuation(self.document, theorem, timeout_s)
