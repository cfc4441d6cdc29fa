"""A Coq text that is being written: executed up to a position, and again only from where it was changed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ntp.envs.coq.document import CoqDocument
from ntp.envs.coq.project import CoqProject
from ntp.envs.coq.proof import axiom_name, parse_assumptions
from ntp.envs.coq.protocol import Failure, Goals
from ntp.envs.coq.syntax import CoqSyntaxError, Sentence, executable, position_of, read_prefixes, sentences
from ntp.envs.live import Problem, ReplayError
from ntp.sandbox.deaths import DeadlineExceededError
from ntp.sandbox.limits import Limits
from ntp.types import Span

# What the module of a text is called. No file of that name is read or written.
FILE = "Buffer.v"
_CLOSES_PROOF = re.compile(r"(?:Qed|Defined|Admitted|Abort|Save)\b")


class LiveDocument(CoqDocument):
    """A document whose text changes: what was executed before a change stays executed.

    Args:
        project: Gives the load paths and options. None of its files is read.
        limits: Resource limits of the process.
        timeout_s: Seconds for one sentence of an open proof, and for any 200 before it.

    Attributes:
        unfinished: The text after the last whole sentence, if it ends inside one.
    """

    def __init__(self, project: CoqProject, limits: Limits, timeout_s: float) -> None:
        super().__init__(project, FILE, limits, source="")
        self.unfinished: Problem | None = None
        self._timeout_s = timeout_s
        self._goals: dict[int, Goals | None] = {}
        self._refused: tuple[int, Problem] | None = None

    def edit(self, source: str) -> None:
        """Replace the text."""
        found: list[Sentence] = []
        self.unfinished = None
        try:
            found.extend(sentences(source))
        except CoqSyntaxError as error:
            span = Span(error.offset, len(source))
            self.unfinished = Problem(span, str(error))
        pairs = zip(self.sentences, found, strict=False)
        same = next(
            (i for i, (a, b) in enumerate(pairs) if a.text != b.text), min(len(self.sentences), len(found))
        )
        # What loads plugins cannot be taken back.
        if any(same <= index < len(self._states) for index in self._plugins):
            self.stop()
        self.generation += 1
        del self._states[same:]
        self._goals = {index: goals for index, goals in self._goals.items() if index < same}
        if self._refused is not None and self._refused[0] >= same:
            self._refused = None
        self.source = source
        self._cut(found)

    def num_before(self, offset: int) -> int:
        """Number of sentences that end at or before an offset."""
        return sum(sentence.span.end <= offset for sentence in self.sentences)

    def goals_after(self, num: int) -> Goals | None:
        """The goals after the first `num` sentences; None if no proof is open there.

        Raises:
            ReplayError: One of them is refused.
            InitError: The prover dies, or does not answer in time.
        """
        if num == 0:
            return None
        if num - 1 not in self._goals:
            self.seek(self._offset(num))
            if num - 1 not in self._goals:
                self._goals[num - 1] = self._shown()
        return self._goals[num - 1]

    def opener(self, num: int) -> int | None:
        """Index of the sentence that opened the proof that is open after `num` sentences; None without."""
        if self.goals_after(num) is None:
            return None
        first = self._last_closed(num)
        while self.goals_after(first) is not None:  # a proof that is closed inside another one
            first = self._last_closed(first - 1)
        # Forwards, as going back to earlier sentences means to execute later ones again.
        is_open = [self.goals_after(index) is not None for index in range(first, num + 1)]
        return first + max(index for index, opened in enumerate(is_open) if not opened)

    def axioms(self) -> tuple[str, ...] | None:
        """Axioms of the last proof of the whole text, which has been executed; None if there is no proof."""
        closed = self._last_closed(len(self.sentences))
        if closed == 0 or self.goals_after(closed - 1) is None:
            return None
        _, name = self.top.status(self._timeout_s)
        self.goals_after(closed)
        self.seek(len(self.source))
        printed = self.top.query(f"Print Assumptions {name}.", self._timeout_s)
        if isinstance(printed, Failure):
            return None
        return tuple(sorted(map(axiom_name, parse_assumptions(printed))))

    def _execute(self, todo: Sequence[Sentence]) -> None:
        """Run sentences, those of the last proof one by one to know the goals after each."""
        first, end = len(self._states), len(self._states) + len(todo)
        refused = self._refused if self._refused is not None and self._refused[0] < end else None
        if refused is not None:
            end = refused[0]
        # The last closing sentence is run alone too: after it no proof is open, unless it was a nested one.
        known = max(self._last_closed(end) - 1, 0)
        try:
            if first < known:
                self._load(todo[: known - first])
            for index in range(max(first, known), end):
                self._run(index)
        except DeadlineExceededError:
            index = len(self._states)
            self.stop()
            raise self._refuse(index, f"no answer within {self._timeout_s:g} s") from None
        if refused is not None:
            raise self._refuse(refused[0], refused[1].message)

    def _load(self, todo: Sequence[Sentence]) -> None:
        states, failed = self.top.load([executable(sentence.text) for sentence in todo], self._timeout_s)
        self._states += states
        if failed:
            raise self._refuse(len(self._states), " ".join(failed.message.split()))

    def _run(self, index: int) -> None:
        result = self.top.run(executable(self.sentences[index].text), self._timeout_s)
        if isinstance(result, Failure):
            raise self._refuse(index, " ".join(result.message.split()))
        self._states.append(self.top.tip)
        self._goals[index] = result

    def _shown(self) -> Goals | None:
        goals = self.top.goals(self._timeout_s)
        return None if isinstance(goals, Failure) else goals

    def _refuse(self, index: int, message: str) -> ReplayError:
        problem = Problem(self.sentences[index].span, message)
        self._refused = (index, problem)
        line, _ = position_of(self.source, problem.span.begin)
        return ReplayError(f"line {line}", problem)

    def _last_closed(self, num: int) -> int:
        """Number of sentences up to the last that closes a proof, among the first `num`."""
        return next((i + 1 for i in reversed(range(num)) if self._closes(i)), 0)

    def _closes(self, index: int) -> bool:
        text = self.sentences[index].text
        return _CLOSES_PROOF.match(text, read_prefixes(text).end) is not None

    def _offset(self, num: int) -> int:
        return self.sentences[num - 1].span.end
