"""The routes of OpenAI's protocol."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from msgspec import Struct
from sse_starlette.sse import EventSourceResponse
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ntp.serve.copilot import Copilot
from ntp.serve.generation import Answer, answers
from ntp.serve.http.bodies import answer_openai_error, read_body
from ntp.serve.http.clients import checked, cut
from ntp.serve.http.guards import RefusedError
from ntp.serve.http.work import Work
from ntp.serve.prompts import Prompt, read_conversation, read_prompt

MAX_CHOICES = 64


class Part(Struct):
    """A part of a message; those that are no text are not read."""

    type: str = "text"
    text: str = ""


class Message(Struct):
    """A message of a chat."""

    role: str
    content: str | list[Part] | None = None

    @property
    def text(self) -> str:
        """What it says."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.type == "text")
        return self.content or ""


class Chat(Struct):
    """A request for an answer in a chat."""

    messages: list[Message]
    model: str = ""
    n: int | None = None
    stop: str | list[str] | None = None
    stream: bool | None = None


class Completion(Struct):
    """A request to continue a prompt."""

    prompt: str | list[str]
    model: str = ""
    n: int | None = None
    stop: str | list[str] | None = None
    stream: bool | None = None


class OpenAI:
    """Handlers of the routes below `/v1`. How many tokens an answer may have, and how random, is not read.

    Args:
        copilot: What they serve.
        work: Runs what takes time.
    """

    def __init__(self, copilot: Copilot, work: Work) -> None:
        self._copilot, self._work = copilot, work
        self._started = int(time.time())

    @property
    def routes(self) -> list[Route]:
        """The routes."""
        return [
            Route("/v1/models", self.models, methods=["GET"]),
            Route("/v1/chat/completions", self.chat, methods=["POST"]),
            Route("/v1/completions", self.complete, methods=["POST"]),
        ]

    async def models(self, _: Request) -> Response:
        """The list of models: one."""
        model = {"id": self._copilot.model, "object": "model", "created": self._started, "owned_by": "ntp"}
        return JSONResponse({"object": "list", "data": [model]})

    async def chat(self, request: Request) -> Response:
        """Answer a chat."""
        try:
            body = await read_body(request, Chat)
            prompt = read_conversation([(message.role, message.text) for message in body.messages])
            found = await self._answers(request, prompt, body.n)
        except Exception as error:
            return await answer_openai_error(request, error)
        texts = _texts(found, body.stop)
        choices = [
            {"index": i, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            for i, text in enumerate(texts)
        ]
        head = self._head("chatcmpl", "chat.completion", body.model)
        if body.stream:
            head["object"] = "chat.completion.chunk"
            deltas = [
                {"index": i, "delta": {"role": "assistant", "content": text}, "finish_reason": None}
                for i, text in enumerate(texts)
            ]
            ends = [{"index": i, "delta": {}, "finish_reason": "stop"} for i in range(len(texts))]
            return EventSourceResponse(_chunks(head, [*deltas, *ends]), headers=checked(found))
        return JSONResponse({**head, "choices": choices, "usage": _USAGE}, headers=checked(found))

    async def complete(self, request: Request) -> Response:
        """Continue a prompt."""
        try:
            body = await read_body(request, Completion)
            prompts = [body.prompt] if isinstance(body.prompt, str) else body.prompt
            if len(prompts) > MAX_CHOICES:
                raise RefusedError(400, f"at most {MAX_CHOICES} prompts")
            found: list[Answer] = []
            for prompt in prompts:
                found += await self._answers(request, read_prompt(prompt), body.n)
        except Exception as error:
            return await answer_openai_error(request, error)
        choices: list[dict[str, Any]] = [
            {"index": i, "text": text, "logprobs": None, "finish_reason": "stop"}
            for i, text in enumerate(_texts(found, body.stop))
        ]
        head = self._head("cmpl", "text_completion", body.model)
        if body.stream:
            return EventSourceResponse(_chunks(head, choices), headers=checked(found))
        return JSONResponse({**head, "choices": choices, "usage": _USAGE}, headers=checked(found))

    async def _answers(self, request: Request, prompt: Prompt, n: int | None) -> list[Answer]:
        num = 1 if n is None else n
        if not 1 <= num <= MAX_CHOICES:
            raise RefusedError(400, f"n is from 1 to {MAX_CHOICES}")
        # The best of what is found for a whole request, of which a client that asks for one sees the first.
        wanted = max(num, self._copilot.suggester.options.num)
        found = await self._work.call(
            request, lambda cancel: answers(self._copilot, prompt, wanted, None, cancel)
        )
        return found[:num]

    def _head(self, prefix: str, kind: str, model: str) -> dict[str, Any]:
        return {
            "id": f"{prefix}-{uuid.uuid4().hex}",
            "object": kind,
            "created": int(time.time()),
            "model": model or self._copilot.model,
        }


# Tokens are not counted: prompts are read for the state that they hold.
_USAGE = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


def _texts(found: list[Answer], stop: str | list[str] | None) -> list[str]:
    stops = [stop] if isinstance(stop, str) else stop or []
    return [cut(answer.text, stops) for answer in found]


async def _chunks(head: dict[str, Any], choices: list[dict[str, Any]]) -> AsyncIterator[dict[str, str]]:
    for choice in choices:
        yield {"data": msgspec.json.encode({**head, "choices": [choice]}).decode()}
    yield {"data": "[DONE]"}
