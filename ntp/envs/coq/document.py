"""One source file in one coqidetop: loaded up to any sentence, rewound, loaded again after a crash."""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass

from ntp.envs.coq.client import ROOT, CoqIdeTop
from ntp.envs.coq.project import CoqProject
from ntp.envs.coq.protocol import Failure, Goals
from ntp.envs.coq.syntax import (
    CoqSyntaxError,
    Sentence,
    executable,
    position_of,
    read_prefixes,
    sentences,
)
from ntp.errors import InitError
from ntp.sandbox.deaths import DeadlineExceededError, ProcessDiedError, RetryBudget
from ntp.sandbox.limits import Limits
from ntp.types import Span

_LOAD_TIMEOUT_S = 300.0
# Plugins extend Coq's grammar permanently: going back over such a sentence leaves the parser broken.
_LOADS_PLUGIN = re.compile(r"(?:(?:Global|Local|From\s+\S+)\s+)*(?:Require|Declare\s+ML)\b")


@dataclass(frozen=True, slots=True)
class OpenedProof:
    """A proof at its beginning, in a running process.

    Attributes:
        begin: Offset of its statement in the file.
        state: The state in which its first tactic runs.
        goals: The goals there.
        path: Path of the module and the sections that it is in.
        name: Its name.
    """

    begin: int
    state: int
    goals: Goals
    path: tuple[str, ...]
    name: str


class CoqDocument:
    """The sentences of one file, a prefix of which has been executed.

    The process starts when it is first needed. If it dies, the next `seek` starts another.

    Args:
        project: The project that contains the file.
        file: Path relative to the project's root.
        limits: Resource limits of the process.

    Attributes:
        source: Text of the file.
        sentences: All sentences of the file in order.
        generation: Increases whenever the ids of earlier states become invalid.
        opened: The proof that was opened last, as long as the process can go back to its beginning.

    Raises:
        InitError: The file cannot be read or cut into sentences.
    """

    def __init__(self, project: CoqProject, file: str, limits: Limits) -> None:
        self.file = file
        self.source = project.read(file)
        self.generation = 0
        self.opened: OpenedProof | None = None
        self._project, self._limits = project, limits
        try:
            self.sentences: list[Sentence] = list(sentences(self.source))
        except CoqSyntaxError as error:
            raise InitError(f"{self._where(error.offset)}: {error}") from None
        self._begins = [sentence.span.begin for sentence in self.sentences]
        self._plugins = [
            i for i, s in enumerate(self.sentences) if _LOADS_PLUGIN.match(s.text, read_prefixes(s.text).end)
        ]
        self._states: list[int] = []
        self._top: CoqIdeTop | None = None
        self._ended_cpu_s = 0.0

    @property
    def top(self) -> CoqIdeTop:
        """The running process; call `seek` first."""
        if self._top is None:
            raise ProcessDiedError("the process was ended")
        return self._top

    @property
    def memory_mb(self) -> float:
        """Resident memory of the process in MiB; 0 if none runs."""
        return self._top.memory_mb if self._top else 0.0

    @property
    def cpu_s(self) -> float:
        """CPU time of all its processes so far, ended ones included, in seconds."""
        return self._ended_cpu_s + (self._top.cpu_s if self._top else 0.0)

    @property
    def pid(self) -> int:
        """Process id; 0 if none runs."""
        return self._top.process.pid if self._top else 0

    def covers(self, span: Span) -> bool:
        """Whether `span` is exactly one sentence of the file."""
        index = bisect.bisect_left(self._begins, span.begin)
        return index < len(self.sentences) and self.sentences[index].span == span

    def between(self, begin: int, end: int) -> list[Sentence]:
        """The sentences that begin in `[begin, end)`."""
        return self.sentences[bisect.bisect_left(self._begins, begin) : bisect.bisect_left(self._begins, end)]

    def seek(self, offset: int) -> None:
        """Execute or rewind the document up to, and without, the sentence at `offset`.

        A process that dies meanwhile is replaced, as often as `RetryBudget` allows.

        Raises:
            InitError: An earlier sentence does not replay, or repeatedly kills the process.
            EnvError: Coq cannot start.
        """
        budget = RetryBudget()
        while True:
            try:
                return self._seek(bisect.bisect_left(self._begins, offset))
            except ProcessDiedError as death:
                self.stop()
                if not budget.allows(death):
                    raise InitError(f"{self._where(offset)}: cannot load the file so far: {death}") from None
            except DeadlineExceededError as error:
                self.stop()
                raise InitError(f"{self._where(offset)}: cannot load the file so far: {error}") from None

    def reopen(self, begin: int) -> OpenedProof | None:
        """Go back to the beginning of the proof of the statement at an offset, if it was opened last."""
        opened = self.opened
        if opened is None or opened.begin != begin:
            return None
        self.generation += 1
        self.top.edit_at(opened.state)
        return opened

    def stop(self) -> None:
        """End the process; the next `seek` starts another. Safe to call twice."""
        self.generation += 1
        self._states = []
        self.opened = None
        if self._top is not None:
            self._ended_cpu_s += self._top.cpu_s
            self._top.close()
            self._top = None

    def _seek(self, index: int) -> None:
        self.generation += 1
        self.opened = None
        if bisect.bisect_left(self._plugins, index) < bisect.bisect_left(self._plugins, len(self._states)):
            self.stop()
        if self._top is None:
            self._top = CoqIdeTop(self._project, self.file, self._limits)
        del self._states[index:]
        self._top.edit_at(self._states[-1] if self._states else ROOT)
        todo = self.sentences[len(self._states) : index]
        states, failed = self._top.load([executable(sentence.text) for sentence in todo], _LOAD_TIMEOUT_S)
        self._states += states
        if failed:
            raise self._not_replayed(todo[len(states)], failed)

    def _not_replayed(self, sentence: Sentence, failed: Failure) -> InitError:
        # Coq's span counts bytes, ours characters.
        before = sentence.text.encode()[: failed.span[0] if failed.span else 0]
        offset = sentence.span.begin + len(before.decode(errors="ignore"))
        message = " ".join(failed.message.split())
        return InitError(f"{self._where(offset)}: the file does not replay: {message}")

    def _where(self, offset: int) -> str:
        line, _ = position_of(self.source, offset)
        return f"{self._project.path(self.file)}:{line}"
