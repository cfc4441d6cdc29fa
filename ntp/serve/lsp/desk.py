"""The documents that an editor has open, for a server that must never wait: provers work in threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from ntp.envs.live import NoProofError, Problem, ReplayError, View
from ntp.errors import NtpError
from ntp.serve.buffer import Buffer, ChangedError
from ntp.serve.copilot import Copilot
from ntp.serve.lsp.places import Place
from ntp.serve.sessions import TooManySessionsError
from ntp.serve.stdio import Later
from ntp.serve.suggestions import Suggestion, rank

T = TypeVar("T")


class Desk:
    """The open documents by their names.

    Args:
        copilot: Gives each document its prover, and suggests. It is made when it is first needed, so that
            an editor need not wait for a large model to be told what the server can do.
    """

    def __init__(self, copilot: Later[Copilot]) -> None:
        self.copilot = copilot
        self._papers: dict[str, Paper] = {}

    def paper(self, uri: str, text: str) -> Paper:
        """A document with the text that it has now."""
        paper = self._papers.setdefault(uri, Paper(self))
        paper.text = text
        return paper

    async def close(self, uri: str) -> None:
        """Forget a document and end its prover."""
        paper = self._papers.pop(uri, None)
        if paper is not None:
            await paper.close()

    def leave(self) -> None:
        """End all provers."""
        if self.copilot.is_made:
            self.copilot().sessions.close_all()

    def make_room(self) -> bool:
        """End the prover of a document that nobody waits for; returns whether there was one."""
        for paper in self._papers.values():
            if paper.id and not paper.is_busy:
                self.copilot().sessions.close(paper.id)
                paper.id = ""
                return True
        return False


class Paper:
    """One document. What has been suggested is remembered until the text before it changes.

    Attributes:
        text: What it says now.
        id: The name of its session; empty without one.
    """

    def __init__(self, desk: Desk) -> None:
        self.text, self.id = "", ""
        self._desk = desk
        self._known: dict[str, _Found] = {}
        self._searches = asyncio.Lock()  # one at a time: a second would end the first
        self._background: threading.Event | None = None

    @property
    def is_busy(self) -> bool:
        """Whether somebody waits for suggestions."""
        return self._searches.locked()

    def known(self, place: Place) -> list[Suggestion]:
        """What has been suggested for a place, best first; empty if nobody asked."""
        found = self._known.get(self.text[: place.begin])
        return [] if found is None else found.for_place(place)

    async def suggest(self, place: Place) -> list[Suggestion]:
        """Suggestions for a place, best first; none where no proof is open or the text is refused."""
        if self._background is not None:
            self._background.set()
        return await self._suggest(place, threading.Event())

    async def suggest_in_background(self, place: Place) -> list[Suggestion] | None:
        """As `suggest`, but gives up, with None, when somebody asks for suggestions."""
        self._background = cancel = threading.Event()
        try:
            found = await self._suggest(place, cancel)
            return None if cancel.is_set() else found
        finally:
            self._background = None

    async def view(self, begin: int) -> View | None:
        """The goals at an offset; None if the prover does not answer."""
        try:
            return await self._run(lambda buffer: buffer.goals(buffer.position(begin)))
        except NtpError:
            return None

    async def problem(self) -> Problem | None:
        """What the prover first refuses in the text.

        Raises:
            NtpError: The prover cannot start, or repeatedly dies.
        """
        return (await self._run(lambda buffer: buffer.check())).problem

    async def close(self) -> None:
        """End the prover."""
        if self._background is not None:
            self._background.set()
        if self.id:
            await asyncio.to_thread(self._desk.copilot().sessions.close, self.id)

    async def _suggest(self, place: Place, cancel: threading.Event) -> list[Suggestion]:
        text, before = self.text, self.text[: place.begin]
        async with self._searches:
            if text != self.text or cancel.is_set():
                return []
            if before not in self._known:
                try:
                    found = await self._run(lambda buffer: self._search(buffer, place.begin, cancel), cancel)
                except (NoProofError, ReplayError, ChangedError):
                    return []
                if cancel.is_set():
                    return []
                self._known = {begin: known for begin, known in self._known.items() if text.startswith(begin)}
                self._known[before] = found
            return self._known[before].for_place(place)

    def _search(self, buffer: Buffer, begin: int, cancel: threading.Event) -> _Found:
        position = buffer.position(begin)
        view = buffer.goals(position)
        found = list(self._desk.copilot().suggester.suggest(buffer, position, cancel=cancel))
        return _Found(rank(found), len(view.goals) + len(view.unfocused))

    async def _run(self, work: Callable[[Buffer], T], cancel: threading.Event | None = None) -> T:
        """Work on the buffer in a thread, which is told to stop when the request is cancelled."""
        try:
            return await asyncio.to_thread(self._with_buffer, self.text, work)
        except asyncio.CancelledError:
            if cancel is not None:
                cancel.set()
            raise

    def _with_buffer(self, text: str, work: Callable[[Buffer], T]) -> T:
        while True:
            try:
                with self._desk.copilot().sessions.use_or_open(self.id, text) as session:
                    self.id = session.id
                    return work(session.buffer)
            except TooManySessionsError:
                if not self._desk.make_room():
                    raise


@dataclass(frozen=True, slots=True)
class _Found:
    """Suggestions, best first, and the number of goals where they are made."""

    suggestions: list[Suggestion]
    num_goals: int

    def for_place(self, place: Place) -> list[Suggestion]:
        """Those that fit: what stands for an `admit.` proves its goal and leaves the others as they are."""
        if not place.is_admit:
            return self.suggestions
        return [s for s in self.suggestions if len(s.goals_after) == self.num_goals - 1]
