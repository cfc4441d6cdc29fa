"""Routes of clients of other systems: llmstep, Lean Copilot, and what speaks to Ollama."""

from __future__ import annotations

import datetime
import itertools
from collections import OrderedDict
from typing import Any

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ntp.serve.copilot import Copilot
from ntp.serve.generation import Answer, answers, embedding
from ntp.serve.http.bodies import read_body
from ntp.serve.http.work import Work
from ntp.serve.prompts import Prompt, read_prompt

# Says whether the prover accepted what is in an answer whose protocol has no place for it.
CHECKED = "x-ntp-checked"
_NUM_REMEMBERED = 64


class Llmstep(Struct):
    """A request of llmstep."""

    tactic_state: str
    prefix: str = ""
    context: str = ""


class LeanCopilot(Struct):
    """A request of Lean Copilot."""

    input: str
    name: str = ""
    prefix: str = ""


class OllamaOptions(Struct):
    """Those of Ollama's options that mean something here."""

    stop: list[str] = []


class Ollama(Struct):
    """A request of Ollama's `generate`."""

    prompt: str
    model: str = ""
    options: OllamaOptions | None = None
    stream: bool = True


class Clients:
    """Handlers of the routes.

    Args:
        copilot: What they serve.
        work: Runs what takes time.
    """

    def __init__(self, copilot: Copilot, work: Work) -> None:
        self._copilot, self._work = copilot, work
        self._given: OrderedDict[str, tuple[list[Answer], itertools.count]] = OrderedDict()

    @property
    def routes(self) -> list[Route]:
        """The routes."""
        return [
            Route("/", self.llmstep, methods=["POST"]),
            Route("/generate", self.generate, methods=["POST"]),
            Route("/encode", self.encode, methods=["POST"]),
            Route("/api/generate", self.ollama, methods=["POST"]),
            Route("/api/tags", self.ollama_models, methods=["GET"]),
        ]

    async def llmstep(self, request: Request) -> Response:
        """Answer `{tactic_state, prefix, context}` with `{suggestions}`."""
        body = await read_body(request, Llmstep)
        found = await self._answers(request, Prompt(body.tactic_state, body.context, body.prefix.strip()))
        return JSONResponse({"suggestions": [a.text for a in found]}, headers=checked(found))

    async def generate(self, request: Request) -> Response:
        """Answer `{name, input, prefix}` with `{outputs: [{output, score}]}`."""
        body = await read_body(request, LeanCopilot)
        found = await self._answers(request, Prompt(body.input, prefix=body.prefix.strip()))
        outputs = [{"output": a.text, "score": a.score} for a in found]
        return JSONResponse({"outputs": outputs}, headers=checked(found))

    async def encode(self, request: Request) -> Response:
        """Answer `{name, input}` with `{outputs: [number]}`."""
        body = await read_body(request, LeanCopilot)
        vector = await self._work.call(request, lambda _: embedding(self._copilot, body.input))
        return JSONResponse({"outputs": vector})

    async def ollama(self, request: Request) -> Response:
        """One answer; who asks the same again gets the next one."""
        body = await read_body(request, Ollama)
        answer = await self._next(request, body.prompt)
        text = cut("" if answer is None else answer.text, body.options.stop if body.options else [])
        now = datetime.datetime.now(datetime.UTC).isoformat().replace("+00:00", "Z")
        model = body.model or self._copilot.model
        last = {"model": model, "created_at": now, "done": True, "done_reason": "stop"}
        headers = checked([] if answer is None else [answer])
        if not body.stream:
            return JSONResponse({**last, "response": text}, headers=headers)
        first = {"model": model, "created_at": now, "response": text, "done": False}
        lines = b"".join(msgspec.json.encode(p) + b"\n" for p in (first, {**last, "response": ""}))
        return Response(lines, media_type="application/x-ndjson", headers=headers)

    async def ollama_models(self, _: Request) -> Response:
        """The list of models: one."""
        name = self._copilot.model
        return JSONResponse({"models": [{"name": name, "model": name}]})

    async def _next(self, request: Request, prompt: str) -> Answer | None:
        if prompt not in self._given:
            found = await self._answers(request, read_prompt(prompt))
            self._given[prompt] = (found, itertools.count())
            if len(self._given) > _NUM_REMEMBERED:
                self._given.popitem(last=False)
        found, turn = self._given[prompt]
        return found[next(turn) % len(found)] if found else None

    async def _answers(self, request: Request, prompt: Prompt) -> list[Answer]:
        num = self._copilot.suggester.options.num
        return await self._work.call(
            request, lambda cancel: answers(self._copilot, prompt, num, None, cancel)
        )


def checked(found: list[Answer]) -> dict[str, str]:
    """The header that says whether the prover accepted all answers."""
    return {CHECKED: str(all(a.is_checked for a in found)).lower()}


def cut(text: str, stops: Any) -> str:
    """A text up to the first of the strings that end an answer."""
    return min((text.split(stop, 1)[0] for stop in stops if stop), key=len, default=text)
