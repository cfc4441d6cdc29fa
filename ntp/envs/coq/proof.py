"""One proof in a Coq document: running tactics, closing it, and the assumptions that it uses."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence

from ntp.envs.coq.document import CoqDocument, OpenedProof
from ntp.envs.coq.hammer import found_tactic, holds_hammer, is_hammer
from ntp.envs.coq.preamble import NO_PREAMBLE, Preamble
from ntp.envs.coq.protocol import Failure, Goals
from ntp.envs.coq.syntax import guard, is_structure
from ntp.envs.coq.term import PRINT_WHOLE, term_digest
from ntp.errors import ConfigError, EnvError, InitError
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
_TIMED_OUT_INSIDE = "Control.Timeout"
# What Coq says when a file would load its own compiled library.
_OWN_LIBRARY = "Cannot load a library with the same name as the current one"
# OCaml's exception, which Coq survives; but any later sentence may then fail in that process.
_OUT_OF_MEMORY = "Out of memory."
_OPENS_PROOF = re.compile(r"Proof\s*(?:\.|(?:using|with)\b)")


# What becomes of a tactic.
StepGoals = Goals | TacticError | Timeout | Exceeded | Rejected


class CoqProof:
    """The proof of one theorem in a document.

    Every method raises `ProcessDiedError` if the process dies during it.

    Args:
        document: The theorem's file.
        theorem: The theorem.
        tactic_timeout_s: Whole seconds for one tactic.
        preamble: What runs before its first tactic.

    Raises:
        InitError: The file does not contain the statement at the theorem's offset.
    """

    def __init__(
        self,
        document: CoqDocument,
        theorem: Theorem,
        tactic_timeout_s: int,
        preamble: Preamble = NO_PREAMBLE,
    ) -> None:
        span = theorem.declaration
        found = document.source[span.begin : span.end]
        if found != theorem.statement or not document.covers(span):
            raise InitError(
                f"unknown theorem {theorem.id}: {theorem.file} does not state it at offset {span.begin}"
            )
        self.document, self.theorem, self._preamble = document, theorem, preamble
        self.timeout_s = tactic_timeout_s
        self.num_given_up = 0  # before the first tactic
        self._path: tuple[str, ...] = ()
        self._name = ""

    def begin(self) -> Goals:
        """Execute the file up to the theorem, its statement, what opens the proof, and the preamble.

        If the document has this proof open, go back to its beginning.

        Raises:
            InitError: One of them fails, or no proof is open after them.
            EnvError: Coq cannot start, or what the preamble loads is not installed.
        """
        begin = self.theorem.declaration.begin
        opened = self.document.reopen(begin)
        if opened is None:
            self.document.seek(begin)
            with _deadline_is_death():
                opened = self.document.opened = self._open(begin)
        self._path, self._name = opened.path, opened.name
        return opened.goals

    def _open(self, begin: int) -> OpenedProof:
        top = self.document.top
        goals = top.run_all([self.theorem.statement, *filter(None, [self.opening])], _STRUCTURE_TIMEOUT_S)[-1]
        path, name = top.status(_STRUCTURE_TIMEOUT_S)
        if isinstance(goals, Failure):
            raise InitError(f"{self.theorem.file}: {self.theorem.id} cannot be stated: {one_line(goals)}")
        if goals is None or not goals.focused or name is None:
            raise InitError(f"{self.theorem.file}: {self.theorem.id} opens no proof")
        if self._preamble.commands:
            goals = self._prepare(goals)
            if top.status(_STRUCTURE_TIMEOUT_S) != (path, name):
                raise ConfigError("env.preamble ends the proof or begins another one")
        return OpenedProof(begin, top.tip, goals, path, name)

    def _prepare(self, stated: Goals) -> Goals:
        """Run the preamble, unless the file is one of those that it loads."""
        top = self.document.top
        before = top.tip
        goals = top.run_all(self._preamble.commands, _STRUCTURE_TIMEOUT_S)[-1]
        if isinstance(goals, Failure):
            if _OWN_LIBRARY in goals.message:
                # Its theorems would be there as they stand, each a proof of itself.
                top.edit_at(before)
                return stated
            raise EnvError(f"env.preamble: {one_line(goals)}{self._preamble.advice(goals.message)}")
        if goals is None or goals.num_given_up or len(goals.focused) != len(stated.focused):
            raise ConfigError("env.preamble changes the goals of the proof")
        return goals

    def execute(self, command: str) -> StepGoals:
        """Run one guarded tactic under the time limit, or a guarded bullet or brace.

        Raises:
            ProcessDiedError: The process died, or ran out of memory and must not be used any more.
        """
        return self._execute(command, self.timeout_s)[0]

    def attempt(self, command: str) -> tuple[StepGoals, str]:
        """As `execute`, but `hammer` is replaced by the tactic that it finds, which is run in its place.

        Returns:
            What became of it, and the tactic that was found; empty if the command is no search.
        """
        if not (self._preamble.has_hammer and holds_hammer(command)):
            return self.execute(command), ""
        if not is_hammer(command):
            return Rejected("hammer stands alone in its sentence, to be replaced by what it finds"), ""
        top = self.document.top
        before = top.tip
        result, told = self._execute(command, self._preamble.hammer_timeout_s)
        if not isinstance(result, Goals):
            return result, ""
        top.edit_at(before)
        found = guard(found_tactic(told))
        if isinstance(found, Rejected) or holds_hammer(found):
            return Rejected("hammer does not say what it found"), ""
        result = self.execute(found)
        return result, found.removeprefix("1: ") if isinstance(result, Goals) else ""

    def _execute(self, command: str, timeout_s: int) -> tuple[StepGoals, list[str]]:
        top = self.document.top
        try:
            # A bullet takes no prefix, and no time.
            timed = command if is_structure(command) else f"Timeout {timeout_s} {command}"
            result, told = top.run_and_listen(timed, timeout_s + _GRACE_S)
        except DeadlineExceededError:
            if not top.interrupt(_GRACE_S):
                self.document.stop()
            return Timeout("interrupted"), []
        except AnswerTooLongError as error:
            self.document.stop()
            return Exceeded(error.limit, str(error)), []
        return _read_result(result, self.num_given_up), told

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


def _read_result(result: Goals | Failure | None, num_given_up: int) -> StepGoals:
    if isinstance(result, Failure):
        _require_memory(result)
        # The hammer reports Coq's exception as a fault of its own.
        ran_out = result.message == _TIMED_OUT or _TIMED_OUT_INSIDE in result.message
        return Timeout() if ran_out else TacticError(result.message)
    if result is None:
        return Rejected("no proof is open after the tactic")
    if result.num_given_up > num_given_up:
        return Rejected("a goal was given up")
    if result.num_shelved and not result.focused and not result.background:
        return Rejected("the goals that remain are shelved")
    return result


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
