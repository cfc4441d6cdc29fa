"""Documents that clients have open: limited in number, closed when idle, and apart from one another."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ntp.bounds import PositiveFloat, PositiveInt
from ntp.errors import NtpError
from ntp.serve.buffer import Buffer


class UnknownSessionError(NtpError):
    """There is no such session, or it was closed because nobody used it."""


class TooManySessionsError(NtpError):
    """As many sessions as allowed are open, and none of them is idle."""


@dataclass(frozen=True)
class SessionLimits:
    """How many documents may be open.

    Attributes:
        max_sessions: Most documents that are open at a time, each with a prover of its own.
        idle_s: Seconds after which a document that nobody used is closed.
    """

    max_sessions: PositiveInt = 16
    idle_s: PositiveFloat = 900.0


@dataclass(eq=False)
class Session:
    """One open document.

    Attributes:
        id: What its client calls it. Nobody else can guess it.
        buffer: The document.
    """

    id: str
    buffer: Buffer
    num_users: int = 0
    used_at: float = field(default_factory=time.monotonic)


class Sessions:
    """The open documents.

    Args:
        make_buffer: Makes a document; its prover must not start before it is needed.
        limits: How many there may be.
    """

    def __init__(self, make_buffer: Callable[[], Buffer], limits: SessionLimits | None = None) -> None:
        self._make_buffer = make_buffer
        self.limits = limits or SessionLimits()
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._closer = threading.Thread(target=self._close_idle, name="idle-sessions", daemon=True)
        self._closer.start()

    def __len__(self) -> int:
        return len(self._sessions)

    def open(self, text: str = "") -> Session:
        """Open a document.

        Raises:
            TooManySessionsError: Too many are open.
        """
        self.close_idle()
        with self._lock:
            if self._ended.is_set():
                raise UnknownSessionError("the server is ending")
            if len(self._sessions) >= self.limits.max_sessions:
                raise TooManySessionsError(
                    f"{len(self._sessions)} documents are open, as many as allowed: close one, or raise "
                    "serve.sessions.max_sessions"
                )
            session = Session(secrets.token_urlsafe(16), self._make_buffer())
            self._sessions[session.id] = session
        session.buffer.edit(text)
        return session

    def get(self, id: str) -> Session:
        """An open document, which counts as used now.

        Raises:
            UnknownSessionError: There is none of that name.
        """
        with self._lock:
            session = self._sessions.get(id)
            if session is None:
                raise UnknownSessionError(
                    "no such document: it was closed, or idle for too long; open it again"
                )
            session.used_at = time.monotonic()
            return session

    @contextmanager
    def use(self, id: str) -> Iterator[Buffer]:
        """The text of a document that is not closed as idle meanwhile.

        Raises:
            UnknownSessionError: There is none of that name.
        """
        with self._used(self.get(id)) as session:
            yield session.buffer

    @contextmanager
    def use_or_open(self, id: str, text: str) -> Iterator[Session]:
        """A document with that text: the one of that name, or a new one if it is not open.

        Raises:
            TooManySessionsError: It would be a new one, and too many are open.
            UnknownSessionError: No more can be opened.
        """
        try:
            session = self.get(id)  # counts as used now, so that it is not closed as idle in between
        except UnknownSessionError:
            session = self.open()
        with self._used(session):
            if session.buffer.text != text:
                session.buffer.edit(text)
            yield session

    @contextmanager
    def _used(self, session: Session) -> Iterator[Session]:
        with self._lock:
            session.num_users += 1
        try:
            yield session
        finally:
            with self._lock:
                session.num_users -= 1
                session.used_at = time.monotonic()

    def close(self, id: str) -> None:
        """Close a document and end its prover; nothing happens if there is none of that name."""
        with self._lock:
            session = self._sessions.pop(id, None)
        if session is not None:
            session.buffer.close()

    def close_idle(self) -> None:
        """Close the documents that nobody has used for too long."""
        before = time.monotonic() - self.limits.idle_s
        with self._lock:
            idle = [s.id for s in self._sessions.values() if s.num_users == 0 and s.used_at < before]
        for id in idle:
            self.close(id)

    def close_all(self) -> None:
        """Close all documents; no more can be opened."""
        self._ended.set()
        for id in list(self._sessions):
            self.close(id)

    def _close_idle(self) -> None:
        while not self._ended.wait(min(5.0, self.limits.idle_s / 4)):
            self.close_idle()
