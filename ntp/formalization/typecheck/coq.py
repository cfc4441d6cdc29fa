"""Type-checks Coq statements: guarded, stated in a sandboxed coqidetop, and taken back."""

from __future__ import annotations

import itertools
import re
from typing import ClassVar

from ntp.envs.coq.client import ROOT, CoqIdeTop
from ntp.envs.coq.project import CoqProject
from ntp.envs.coq.protocol import Failure, Goals
from ntp.envs.coq.syntax import CoqSyntaxError, read_prefixes, sentences, unreadable
from ntp.envs.coq.tokens import tokens
from ntp.formalization.typecheck.verdict import TypeOutcome, TypeVerdict
from ntp.sandbox.deaths import DeadlineExceededError, ProcessDiedError, RetryBudget
from ntp.sandbox.limits import Limits
from ntp.types import Rejected

KEYWORDS = frozenset(
    {"Theorem", "Lemma", "Corollary", "Proposition", "Remark", "Fact", "Property", "Example"}
)
# A term in which tactics run: it could do what the guard of tactics refuses.
_RUNS_TACTICS = frozenset({"ltac", "ltac2", "ltac2val"})
# The file that the statements stand in, for Coq; there is none.
_FILE = "Candidate.v"
_TIMED_OUT = "Timeout!"
_OUT_OF_MEMORY = "Out of memory."
_GRACE_S = 2.0
# Going back over one of these leaves Coq's parser broken: plugins extend its grammar for good.
_LOADS = re.compile(r"(?:(?:Global|Local|From\s+\S+)\s+)*(?:Require|Declare\s+ML)\b")

_STDLIB = re.compile(r"(?<![\w'.])Stdlib(?=\s+Require\b|\.[A-Z])")


def guard_statement(text: str) -> str | Rejected:
    """From a statement that a model wrote, the sentence to send to Coq, or the reason why it is refused.

    It is one sentence that opens a proof by its first word, with a name, and nothing in front of it.
    """
    reason = unreadable(text)
    if reason:
        return Rejected(reason)
    try:
        found = [sentence.text for sentence in sentences(text)]
        if len(found) != 1:
            return Rejected(f"not one sentence: {len(found)}")
        if read_prefixes(found[0]).end:
            return Rejected("an attribute or a prefix stands in front")
        words = tokens(found[0])
    except CoqSyntaxError as error:
        return Rejected(f"not one sentence: {error}")
    if not words or words[0].text not in KEYWORDS:
        return Rejected(f"does not begin with {', '.join(sorted(KEYWORDS))}")
    if len(words) < 2 or words[1].kind != "name" or "." in words[1].text:
        return Rejected("has no name")
    for word, following in itertools.pairwise(words):
        if word.text in _RUNS_TACTICS and following.text == ":":
            return Rejected(f"{word.text}: runs tactics")
    return found[0]


def named_here(project: CoqProject, header: str) -> str:
    """A header with the name that the standard library has in a project: `Stdlib` from Rocq 9 on."""
    own = {library.name for library in project.prover.libraries}
    return header if "Stdlib" in own else _STDLIB.sub("Coq", header)


class CoqStatementChecker:
    """One coqidetop with the header of the last statement loaded. See `StatementChecker`.

    Statements with the same header are checked without loading it again, so sort by header.

    Args:
        project: Where the libraries of the headers are found.
        limits: Resource limits of the process.
        timeout_s: Whole seconds for one statement.
        header_timeout_s: Seconds for a header.
    """

    prover: ClassVar[str] = "coq"

    def __init__(
        self,
        project: CoqProject,
        limits: Limits | None = None,
        timeout_s: int = 10,
        header_timeout_s: float = 300.0,
    ) -> None:
        self._project, self._limits = project, limits or Limits()
        self._timeout_s, self._header_timeout_s = timeout_s, header_timeout_s
        self._top: CoqIdeTop | None = None
        self._loaded: list[str] = []
        self._states: list[int] = []

    def check(self, header: str, statement: str) -> TypeVerdict:
        """See `StatementChecker.check`."""
        text = guard_statement(statement)
        if isinstance(text, Rejected):
            return TypeVerdict(TypeOutcome.REFUSED, text.reason)
        budget = RetryBudget()
        while True:
            try:
                failed = self._load(header)
                return failed or self._state(text)
            except ProcessDiedError as death:
                self.close()
                if not budget.allows(death):
                    outcome = TypeOutcome.EXCEEDED if death.limit else TypeOutcome.CRASHED
                    return TypeVerdict(outcome, str(death))

    def close(self) -> None:
        """See `StatementChecker.close`."""
        self._loaded, self._states = [], []
        if self._top is not None:
            self._top.close()
            self._top = None

    def _load(self, header: str) -> TypeVerdict | None:
        """Load a header, of which what the process has loaded already is kept."""
        try:
            wanted = [sentence.text for sentence in sentences(named_here(self._project, header))]
        except CoqSyntaxError as error:
            return TypeVerdict(TypeOutcome.HEADER, str(error))
        num_kept = _num_common(self._loaded, wanted)
        if self._top is None or any(_LOADS.match(text) for text in self._loaded[num_kept:]):
            self.close()
            num_kept = 0
        if self._top is None:
            self._top = CoqIdeTop(self._project, _FILE, self._limits)
        self._go_back(num_kept)
        if num_kept == len(wanted):
            return None
        try:
            states, failed = self._top.load(wanted[num_kept:], self._header_timeout_s)
        except DeadlineExceededError as error:
            self.close()
            return TypeVerdict(TypeOutcome.HEADER, str(error))
        self._states += states
        self._loaded += wanted[num_kept : num_kept + len(states)]
        if failed is None:
            return None
        sentence = wanted[len(self._loaded)]
        return TypeVerdict(TypeOutcome.HEADER, f"{_one_line(sentence)} {_one_line(failed.message)}")

    def _state(self, text: str) -> TypeVerdict:
        """State a guarded statement, and go back to before it."""
        assert self._top is not None
        try:
            result = self._top.run(f"Timeout {self._timeout_s} {text}", self._timeout_s + _GRACE_S)
        except DeadlineExceededError:
            if not self._top.interrupt(_GRACE_S):
                self.close()
            return TypeVerdict(TypeOutcome.TIMEOUT, f"over {self._timeout_s} s")
        self._go_back(len(self._states))
        if isinstance(result, Failure):
            if result.message == _OUT_OF_MEMORY:
                raise ProcessDiedError(result.message, limit="memory")
            if result.message == _TIMED_OUT:
                return TypeVerdict(TypeOutcome.TIMEOUT, f"over {self._timeout_s} s")
            return TypeVerdict(TypeOutcome.ILL_TYPED, _one_line(result.message))
        return _opened(result)

    def _go_back(self, num_sentences: int) -> None:
        assert self._top is not None
        del self._loaded[num_sentences:], self._states[num_sentences:]
        self._top.edit_at(self._states[-1] if self._states else ROOT)


def _opened(goals: Goals | None) -> TypeVerdict:
    """What an accepted sentence has opened: the proof of one statement, or something else."""
    if goals is None:
        return TypeVerdict(TypeOutcome.REFUSED, "opens no proof: it is a definition")
    if len(goals.focused) != 1 or goals.background or goals.num_shelved or goals.num_given_up:
        return TypeVerdict(TypeOutcome.REFUSED, "not one statement")
    return TypeVerdict(TypeOutcome.WELL_TYPED)


def _num_common(one: list[str], other: list[str]) -> int:
    return next(
        (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())
