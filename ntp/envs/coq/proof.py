"""One proof in a Coq document: running tactics, closing it, and the assumptions that it uses."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence

from ntp.envs.coq.document import CoqDocument
from ntp.envs.coq.protocol import Failure, Goals
from ntp.envs.coq.syntax import is_structure
from ntp.envs.coq.term import PRINT_WHOLE, term_digest
from ntp.errors import InitError
from ntp.sandbox.deaths import AnswerTooLongError, DeadlineExceededError, ProcessDiedError
from ntp.types import Exceeded, Rejected, TacticError, Theorem, Timeout

_CLOSED = "Closed under the global context"
# Coq prints this line below an axiom that proves a contradiction. It is not an assumption.
_USE = "used in "
# A block that lists no assumptions: a section's variables are part of the statement.
_CONTEXT_BLOCKS = frozenset({"Section Variables:"})
_HEADERS = _CONTEXT_BLOCKS | {"Axioms:", "Opaque constants:", "Transparent constants:", "Theory:"}


class UnreadableAssumptionsError(ValueError):
    """The text is not an answer to `Print Assumptions`."""


def parse_assumptions(messages: Sequence[str]) -> frozenset[str]:
    """The assumptions of a constant, one string each with whitespace collapsed.

    An axiom is printed as `name : type`, a disabled check as `name is assumed to be guarded.` or similar.

    Raises:
        UnreadableAssumptionsError: The messages are not an answer to `Print Assumptions`.
    """
    if len(messages) != 1:
        raise UnreadableAssumptionsError(f"Print Assumptions gave {len(messages)} messages")
    text = messages[0].strip()
    if text == _CLOSED:
        return frozenset()
    lines = text.splitlines()
    if not lines or lines[0] not in _HEADERS:
        raise UnreadableAssumptionsError(f"Print Assumptions gave {text[:200]!r}")
    return frozenset(
        entry
        for header, entry in _entries(lines)
        if header not in _CONTEXT_BLOCKS and not entry.startswith(_USE)
    )


def axiom_name(assumption: str) -> str:
    """The name at the beginning of an assumption."""
    return assumption.split(" ", 1)[0]


def _entries(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(header of the block, entry) pairs. A line that begins with a blank or a colon continues an entry."""
    header, entry = "", ""
    for line in lines:
        if not line or line[0] in " :":
            entry = f"{entry} {line.strip()}"
            continue
        if entry:
            yield header, entry
        header, entry = (line, "") if line in _HEADERS else (header, line)
    if entry:
        yield header, entry


_STRUCTURE_TIMEOUT_S = 60.0
# Coq's own `Timeout` comes first, SIGINT this many seconds later, SIGKILL after the same time again.
_GRACE_S = 1.0
_TERM_TIMEOUT_S = 10.0
_QED_FACTOR = 4
_TIMED_OUT = "Timeout!"
# OCaml's exception, which Coq survives; but any later sentence may then fail in that process.
_OUT_OF_MEMORY = "Out of memory."
_OPENS_PROOF = re.compile(r"Proof\s*(?:\.|(?:using|with)\b)")


class CoqProof:
    """The proof of one theorem in a document.

    Every method raises `ProcessDiedError` if the process dies during it.

    Args:
        document: The theorem's file.
        theorem: The theorem.
        tactic_timeout_s: Whole seconds for one tactic.

    Raises:
        InitError: The file does not contain the statement at the theorem's offset.
    """

    def __init__(self, document: CoqDocument, theorem: Theorem, tactic_timeout_s: int) -> None:
        span = theorem.declaration
        found = document.source[span.begin : span.end]
        if found != theorem.statement or not document.covers(span):
            raise InitError(
                f"unknown theorem {theorem.id}: {theorem.file} does not state it at offset {span.begin}"
            )
        self.document, self.theorem = document, theorem
        self.timeout_s = tactic_timeout_s
        self.num_given_up = 0  # before the first tactic
        self._path: tuple[str, ...] = ()
        self._name = ""

    def begin(self) -> Goals:
        """Execute the file up to the theorem, its statement and the sentence that opens the proof.

        Raises:
            InitError: One of them fails, or no proof is open after them.
            EnvError: Coq cannot start.
        """
        self.document.seek(self.theorem.declaration.begin)
        top = self.document.top
        with _deadline_is_death():
            opening = [self.theorem.statement, *filter(None, [self.opening])]
            goals = top.run_all(opening, _STRUCTURE_TIMEOUT_S)[-1]
            path, name = top.status(_STRUCTURE_TIMEOUT_S)
        if isinstance(goals, Failure):
            raise InitError(f"{self.theorem.file}: {self.theorem.id} cannot be stated: {one_line(goals)}")
        if goals is None or not goals.focused or name is None:
            raise InitError(f"{self.theorem.file}: {self.theorem.id} opens no proof")
        self._path, self._name = path, name
        return goals

    def execute(self, command: str) -> Goals | TacticError | Timeout | Exceeded | Rejected:
        """Run one guarded tactic under the time limit, or a guarded bullet or brace.

        Raises:
            ProcessDiedError: The process died, or ran out of memory and must not be used any more.
        """
        top = self.document.top
        try:
            # A bullet takes no prefix, and no time.
            timed = command if is_structure(command) else f"Timeout {self.timeout_s} {command}"
            result = top.run(timed, self.timeout_s + _GRACE_S)
        except DeadlineExceededError:
            if not top.interrupt(_GRACE_S):
                self.document.stop()
            return Timeout("interrupted")
        except AnswerTooLongError as error:
            self.document.stop()
            return Exceeded(error.limit, str(error))
        if isinstance(result, Failure):
            _require_memory(result)
            return Timeout() if result.message == _TIMED_OUT else TacticError(result.message)
        if result is None:
            return Rejected("no proof is open after the tactic")
        if result.num_given_up > self.num_given_up:
            return Rejected("a goal was given up")
        if result.num_shelved and not result.focused and not result.background:
            return Rejected("the goals that remain are shelved")
        return result

    def replay(self, commands: Sequence[str]) -> tuple[list[int], Goals] | None:
        """Run tactics that were accepted before in the same state, with one time limit for all together.

        Returns:
            The state after each tactic and the goals after the last, or None if one fails now.
        """
        timeout_s = _STRUCTURE_TIMEOUT_S + self.timeout_s * len(commands)
        try:
            states, shown = self.document.top.load_and_show(commands, timeout_s)
        except DeadlineExceededError:
            self.document.stop()
            return None
        if isinstance(shown, Failure):
            _require_memory(shown)
        return (states, shown) if isinstance(shown, Goals) else None

    def conclude(self) -> frozenset[str] | Timeout | Rejected:
        """Close the proof with Qed and return its assumptions if the kernel accepts it."""
        top = self.document.top
        limit_s = self.timeout_s * _QED_FACTOR
        try:
            closed, printed = top.run_and_query(f"Timeout {limit_s} Qed.", self._query, limit_s + _GRACE_S)
        except DeadlineExceededError:
            self.document.stop()
            return Timeout("Qed")
        if isinstance(closed, Failure):
            _require_memory(closed)
            return Timeout("Qed") if closed.message == _TIMED_OUT else Rejected(f"Qed: {one_line(closed)}")
        if closed is not None:
            return Rejected("Qed left a proof open")
        try:
            return self._read_assumptions(printed)
        except UnreadableAssumptionsError as error:
            return Rejected(str(error))

    def term_digest(self) -> str:
        """After `conclude` has accepted: digest of the proof term; empty if it is too long to print.

        Raises:
            ProcessDiedError: The prover was killed from outside, which says nothing about the term.
        """
        top = self.document.top
        try:
            _, failed = top.load(PRINT_WHOLE, _TERM_TIMEOUT_S)
            printed = failed or top.query(f"Print {self._path_of_name}.", _TERM_TIMEOUT_S)
        except (DeadlineExceededError, ProcessDiedError) as error:  # also if the answer is too long
            self.document.stop()
            if isinstance(error, ProcessDiedError) and error.killed and not error.limit:
                raise
            return ""
        return "" if isinstance(printed, Failure) else term_digest("".join(printed))

    def reference_assumptions(self) -> frozenset[str]:
        """The assumptions of the file's own proof.

        Raises:
            InitError: The file does not replay up to the end of that proof.
        """
        self.begin()
        self.document.seek(self.theorem.proof.end)
        with _deadline_is_death():
            printed = self.document.top.query(self._query, _STRUCTURE_TIMEOUT_S)
        try:
            return self._read_assumptions(printed)
        except UnreadableAssumptionsError as error:
            raise InitError(f"{self.theorem.file}: {self.theorem.id}: {error}") from None

    @property
    def _query(self) -> str:
        # The whole path, so that it cannot mean another constant with the same name.
        return f"Print Assumptions {self._path_of_name}."

    @property
    def _path_of_name(self) -> str:
        return ".".join((*self._path, self._name))

    def _read_assumptions(self, printed: list[str] | Failure) -> frozenset[str]:
        if isinstance(printed, Failure):
            # A `Let` in a section is a variable. It has no path, and hides constants with the same name.
            with _deadline_is_death():
                printed = self.document.top.query(f"Print Assumptions {self._name}.", _STRUCTURE_TIMEOUT_S)
        if isinstance(printed, Failure):
            raise UnreadableAssumptionsError(one_line(printed))
        return parse_assumptions(printed)

    @property
    def opening(self) -> str:
        """The sentence of the file that opens the proof, such as `Proof.`; empty without."""
        after = self.document.between(self.theorem.declaration.end, self.theorem.proof.end)
        return next((s.text for s in after[:1] if _OPENS_PROOF.match(s.text)), "")


@contextlib.contextmanager
def _deadline_is_death() -> Iterator[None]:
    """For calls that are always answered quickly: a process that does not answer is treated as dead."""
    try:
        yield
    except DeadlineExceededError as error:
        raise ProcessDiedError(str(error)) from None


def _require_memory(failed: Failure) -> None:
    if failed.message == _OUT_OF_MEMORY:
        raise ProcessDiedError(failed.message, limit="memory")


def one_line(failed: Failure) -> str:
    """Coq's message on one line."""
    return " ".join(failed.message.split())
