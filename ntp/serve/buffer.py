"""The unsaved text of an editor, and its proof states, computed again only from where it was changed."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from ntp.envs.live import ContinuedSession, LiveEnv, TextCheck, View
from ntp.errors import NtpError
from ntp.types import Outcome, ProofState, Theorem, Verdict


class ChangedError(NtpError):
    """The text was changed, or another search was begun in it, while a search was going on."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a text: line and character (code point) in it, both from 0.

    A position past the end of its line means the end of the line, and past the last line the end of the text.
    """

    line: int
    character: int


class Buffer:
    """One text with one prover. Every method may be called from any thread.

    Args:
        env: The prover of the text, used by nobody else.
    """

    def __init__(self, env: LiveEnv) -> None:
        self._env = env
        self._lock = threading.RLock()
        self._text = ""
        self._turn = 0
        self._closed = False

    @property
    def text(self) -> str:
        """The text as it is now."""
        return self._text

    def edit(self, text: str) -> None:
        """Replace the text. Searches that are going on in it end with `ChangedError`."""
        with self._lock:
            self._require_open()
            self._turn += 1
            self._text = text
            self._env.edit(text)

    def change(self, begin: Position, end: Position, text: str) -> None:
        """Replace the text between two positions."""
        with self._lock:
            first, last = self.offset(begin), self.offset(end)
            self.edit(self._text[:first] + text + self._text[last:])

    def offset(self, position: Position) -> int:
        """Number of characters before a position."""
        begin = 0
        for _ in range(position.line):
            following = self._text.find("\n", begin)
            if following < 0:
                return len(self._text)
            begin = following + 1
        end = self._text.find("\n", begin)
        return min(begin + max(0, position.character), len(self._text) if end < 0 else end)

    def position(self, offset: int) -> Position:
        """The position of a character."""
        line = self._text.count("\n", 0, offset)
        return Position(line, offset - (self._text.rfind("\n", 0, offset) + 1))

    def goals(self, position: Position) -> View:
        """The goals after the last sentence that ends at or before a position.

        Raises:
            EnvError: The prover cannot start, or repeatedly dies.
        """
        with self._lock:
            self._require_open()
            return self._env.view(self.offset(position))

    def begin(self, position: Position) -> Attempt:
        """Begin to search for the rest of the proof at a position; ends the search before.

        Raises:
            ReplayError: The text is refused before the position.
            NoProofError: No proof is open there, or no goal is in focus.
            EnvError: The prover cannot start, or repeatedly dies.
        """
        with self._lock:
            self._require_open()
            theorem = self._env.theorem_at(self.offset(position))
            session = self._env.open(theorem)
            self._turn += 1
            return Attempt(self, theorem, session, self._turn)

    def check(self) -> TextCheck:
        """Execute the whole text.

        Raises:
            EnvError: The prover cannot start, or repeatedly dies.
        """
        with self._lock:
            self._require_open()
            return self._env.check_text()

    def close(self) -> None:
        """End the prover. Safe to call twice."""
        with self._lock:
            self._closed = True
            self._turn += 1
            self._env.close()

    def _require_open(self) -> None:
        if self._closed:
            raise ChangedError("the document was closed")


class Attempt:
    """A search for the rest of one proof of a buffer; see `Buffer.begin`.

    Every method raises `ChangedError` once the text was changed or another search began.
    """

    def __init__(self, buffer: Buffer, theorem: Theorem, session: ContinuedSession, turn: int) -> None:
        self.theorem, self.root = theorem, session.root
        self._buffer, self._session, self._turn = buffer, session, turn

    def step(self, state: ProofState, tactic: str) -> Outcome:
        """See `ProofSession.step`."""
        with self._buffer._lock:
            self._require_current()
            return self._session.step(state, tactic)

    def script(self, state: ProofState, last: str = "") -> tuple[str, ...]:
        """The sentences from the position to a state, and on with a tactic that was run in it."""
        return self._session.script(state.handle, last)

    def check(self, sentences: Sequence[str]) -> Verdict:
        """Replay the rest of the proof, and let the kernel check the whole proof. Ends the search."""
        with self._buffer._lock:
            self._require_current()
            return self._buffer._env.check_rest(self.theorem, sentences).verdict

    def _require_current(self) -> None:
        if self._buffer._turn != self._turn:
            raise ChangedError("the text was changed while proofs were searched")
