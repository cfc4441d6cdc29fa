"""The server's own routes: documents, their goals, suggestions and whether they are accepted."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from sse_starlette.sse import EventSourceResponse
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ntp.envs.live import Problem, View
from ntp.errors import NtpError
from ntp.serve.buffer import Buffer, Position
from ntp.serve.copilot import Copilot
from ntp.serve.http.bodies import read_body, refusal
from ntp.serve.http.guards import RefusedError
from ntp.serve.http.work import Work
from ntp.serve.suggestions import Suggestion, rank

MAX_SUGGESTIONS = 64


# What the language server protocol can say: greater numbers are no position in any text.
Index = Annotated[int, Meta(le=2**31 - 1)]


class Place(Struct, forbid_unknown_fields=True):
    """A position: line and character, both from 0."""

    line: Index
    character: Index

    @property
    def position(self) -> Position:
        """The position."""
        return Position(max(0, self.line), max(0, self.character))


class Change(Struct, forbid_unknown_fields=True):
    """New text between two positions."""

    begin: Place
    end: Place
    text: str


class Text(Struct, forbid_unknown_fields=True):
    """A whole text, or changes of it, one after the other."""

    text: str | None = None
    changes: list[Change] = []


class Ask(Struct, forbid_unknown_fields=True):
    """A request for suggestions."""

    line: Index
    character: Index
    num: int | None = None
    deadline_s: float | None = None
    stream: bool = False


class Documents:
    """Handlers of the routes below `/api`.

    Args:
        copilot: What they serve.
        work: Runs what takes time.
    """

    def __init__(self, copilot: Copilot, work: Work) -> None:
        self._copilot, self._work = copilot, work

    @property
    def routes(self) -> list[Route]:
        """The routes."""
        one = "/api/documents/{id}"
        return [
            Route("/api/status", self.status, methods=["GET"]),
            Route("/api/documents", self.open, methods=["POST"]),
            Route(one, self.edit, methods=["PUT"]),
            Route(one, self.close, methods=["DELETE"]),
            Route(f"{one}/goals", self.goals, methods=["POST"]),
            Route(f"{one}/suggestions", self.suggestions, methods=["POST"]),
            Route(f"{one}/check", self.check, methods=["POST"]),
        ]

    async def status(self, _: Request) -> Response:
        """What serves here."""
        copilot = self._copilot
        return JSONResponse(
            {
                "model": copilot.model,
                "prover": copilot.prover,
                "calibrated": copilot.is_calibrated,
                "num_documents": len(copilot.sessions),
                "max_documents": copilot.sessions.limits.max_sessions,
            }
        )

    async def open(self, request: Request) -> Response:
        """Open a document: `{text}` -> `{id}`."""
        body = await read_body(request, Text)
        session = await self._work.call(request, lambda _: self._copilot.sessions.open(body.text or ""))
        return JSONResponse({"id": session.id}, 201)

    async def edit(self, request: Request) -> Response:
        """Change a document: `{text}` or `{changes: [{begin, end, text}]}`."""
        body = await read_body(request, Text)
        limit = MAX_TEXT

        def edit(buffer: Buffer) -> None:
            if body.text is not None:
                buffer.edit(body.text)
            for change in body.changes:
                buffer.change(change.begin.position, change.end.position, change.text)
                if len(buffer.text) > limit:
                    buffer.edit("")
                    raise RefusedError(413, f"a document may have {limit} characters; it was emptied")

        await self._use(request, lambda buffer, _: edit(buffer))
        return JSONResponse({})

    async def close(self, request: Request) -> Response:
        """Close a document."""
        id = request.path_params["id"]
        await self._work.call(request, lambda _: self._copilot.sessions.close(id))
        return Response(status_code=204)

    async def goals(self, request: Request) -> Response:
        """The goals at `{line, character}`."""
        place = await read_body(request, Place)
        answer = await self._use(request, lambda buffer, _: _view(buffer, buffer.goals(place.position)))
        return JSONResponse(answer)

    async def check(self, request: Request) -> Response:
        """Whether the whole text is accepted, and the axioms of its last proof."""

        def check(buffer: Buffer, _: threading.Event) -> dict[str, Any]:
            found = buffer.check()
            problem = None if found.problem is None else _problem(buffer, found.problem)
            return {
                "accepted": found.accepted,
                "problem": problem,
                "open_statement": found.statement,
                "axioms": None if found.axioms is None else list(found.axioms),
            }

        return JSONResponse(await self._use(request, check))

    async def suggestions(self, request: Request) -> Response:
        """Suggestions at `{line, character}`, at once or, with `stream`, as server-sent events."""
        ask = await read_body(request, Ask)
        if ask.num is not None and not 1 <= ask.num <= MAX_SUGGESTIONS:
            raise RefusedError(400, f"num is from 1 to {MAX_SUGGESTIONS}")
        if ask.deadline_s is not None and not ask.deadline_s > 0:
            raise RefusedError(400, "deadline_s is above 0")
        self._copilot.sessions.get(request.path_params["id"])
        if ask.stream:
            return EventSourceResponse(self._events(request.path_params["id"], ask))
        found = await self._use(request, lambda buffer, cancel: list(self._suggest(buffer, ask, cancel)))
        return JSONResponse(self._answer(found))

    def _suggest(self, buffer: Buffer, ask: Ask, cancel: threading.Event):
        position = Place(ask.line, ask.character).position
        return self._copilot.suggester.suggest(buffer, position, ask.num, ask.deadline_s, cancel)

    async def _events(self, id: str, ask: Ask) -> AsyncIterator[dict[str, str]]:
        found: list[Suggestion] = []

        def suggest(cancel: threading.Event):
            with self._copilot.sessions.use(id) as buffer:
                yield from self._suggest(buffer, ask, cancel)

        try:
            async for suggestion in self._work.iterate(suggest):
                found.append(suggestion)
                yield {"event": "suggestion", "data": _json(asdict(suggestion))}
        except (NtpError, RefusedError) as error:
            refused = refusal(error)
            yield {"event": "error", "data": _json({"error": refused.reason, "status": refused.status})}
            return
        yield {"event": "done", "data": _json(self._answer(found))}

    async def _use(self, request: Request, function) -> Any:
        id = request.path_params["id"]

        def use(cancel: threading.Event) -> Any:
            with self._copilot.sessions.use(id) as buffer:
                return function(buffer, cancel)

        return await self._work.call(request, use)

    def _answer(self, found: list[Suggestion]) -> dict[str, Any]:
        ranked = [asdict(suggestion) for suggestion in rank(found)]
        return {"suggestions": ranked, "calibrated": self._copilot.is_calibrated}


# A text with more characters takes longer to load than anybody waits.
MAX_TEXT = 4 * 1024 * 1024


def _view(buffer: Buffer, view: View) -> dict[str, Any]:
    return {
        "goals": [_goal(goal) for goal in view.goals],
        "unfocused": [_goal(goal) for goal in view.unfocused],
        "statement": view.statement,
        "num_admitted": view.num_admitted,
        "problem": None if view.problem is None else _problem(buffer, view.problem),
    }


def _goal(goal) -> dict[str, Any]:
    return {"hypotheses": list(goal.hypotheses), "conclusion": goal.conclusion}


def _problem(buffer: Buffer, problem: Problem) -> dict[str, Any]:
    begin, end = buffer.position(problem.span.begin), buffer.position(problem.span.end)
    return {"begin": asdict(begin), "end": asdict(end), "message": problem.message}


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
