"""Language models behind OpenAI-compatible servers: vLLM, Ollama, llama.cpp, hosted ones."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import openai
from openai.types.chat import ChatCompletion

from ntp.bounds import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from ntp.errors import ConfigError, GeneratorError
from ntp.policy.generators.base import Answer, ChatRequest
from ntp.policy.prompt import SamplingParams
from ntp.types import Message

_log = logging.getLogger(__name__)

# Servers keep seeds in 32 bits.
_MAX_SEED = 2**31 - 1
# A longer answer is no proof: `check_script` refuses it, and logs need not hold it.
_MAX_CHARACTERS = 200_000
_NO_KEY = "none"


@dataclass(frozen=True)
class OpenAIOptions:
    """A model behind a server that speaks OpenAI's chat completions.

    Attributes:
        base_url: Address of the server, as `http://localhost:8000/v1`.
        name: Name of the model at the server.
        key_variable: The environment variable that holds the key; null for servers that want none. The key is
            written nowhere.
        max_tokens: Most tokens of an answer.
        concurrency: Requests that are under way at the same time.
        requests_per_minute: Most requests begun in a minute; null for no limit. A server that says when to
            come again (429, `Retry-After`) is obeyed in any case.
        max_retries: How often a request is repeated when the server is busy, fails or cannot be reached,
            after growing pauses.
        timeout_s: Longest wait for an answer, in seconds.
        prompt_price: Price of a million tokens read.
        completion_price: Price of a million tokens written.
        logprobs: Whether the server is asked for log-probabilities, which best-first search needs.
        extra: Further fields of every request, as `{top_k: 20}`.
    """

    base_url: str
    name: str
    key_variable: str | None = None
    max_tokens: PositiveInt = 2048
    concurrency: PositiveInt = 4
    requests_per_minute: PositiveFloat | None = None
    max_retries: NonNegativeInt = 5
    timeout_s: PositiveFloat = 600.0
    prompt_price: NonNegativeFloat = 0.0
    completion_price: NonNegativeFloat = 0.0
    logprobs: bool = False
    extra: Any = None

    def create(self, texts: Iterable[str] = ()) -> OpenAIGenerator:  # noqa: ARG002
        """The generator; nothing is sent yet.

        Raises:
            ConfigError: The key's variable is not set.
        """
        return OpenAIGenerator(self)

    def load(self, directory: object) -> OpenAIGenerator:
        """Refuse weights: those of a server are its own.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(f"a server's model has its own weights: leave out the checkpoint {directory}")

    @cached_property
    def key(self) -> str:
        """The key, from the environment.

        Raises:
            ConfigError: Its variable is not set.
        """
        if self.key_variable is None:
            return _NO_KEY
        key = os.environ.get(self.key_variable, "")
        if not key:
            raise ConfigError(f"model.key_variable={self.key_variable}: this environment variable is not set")
        return key


class OpenAIGenerator:
    """Asks a server, several requests at a time.

    Args:
        options: The server and the model.

    Raises:
        ConfigError: The key's variable is not set.
    """

    def __init__(self, options: OpenAIOptions) -> None:
        self._options = options
        self._client = openai.OpenAI(
            base_url=options.base_url,
            api_key=options.key,
            max_retries=options.max_retries,
            timeout=options.timeout_s,
        )
        self._threads = ThreadPoolExecutor(options.concurrency)
        self._pace = _Pace(options.requests_per_minute)
        self._has_answered = False

    def generate(self, requests: Sequence[ChatRequest]) -> list[list[Answer]]:
        """See `Generator.generate`. What a server that takes seeds answers depends on them."""
        jobs = [
            [self._threads.submit(self._ask, request.messages, draw) for draw in request.draws]
            for request in requests
        ]
        try:
            return [[job.result() for job in row] for row in jobs]
        except BaseException:
            for job in (job for row in jobs for job in row):
                job.cancel()
            raise

    def _ask(self, messages: Sequence[Message], draw: SamplingParams) -> Answer:
        options = self._options
        self._pace.wait()
        try:
            said = self._client.chat.completions.create(
                model=options.name,
                messages=[{"role": m.role, "content": m.content} for m in messages],  # type: ignore[misc]
                temperature=draw.temperature,
                seed=draw.seed % _MAX_SEED,
                max_tokens=options.max_tokens,
                logprobs=True if options.logprobs else openai.omit,
                extra_body=dict(options.extra or {}),
            )
        except openai.BadRequestError as error:
            if not self._has_answered:
                raise GeneratorError(self._line("refuses the request", error)) from None
            # Too long for the model, say: this theorem is not answered, the others are.
            _log.warning(self._line("refuses a request", error))
            return Answer("", refused=self._told(error))
        except (openai.APIError, ValueError) as error:
            raise GeneratorError(self._line(_TROUBLES.get(type(error), "fails"), error)) from None
        self._has_answered = True
        return self._answer(said)

    def _answer(self, said: ChatCompletion) -> Answer:
        if not getattr(said, "choices", None):
            raise GeneratorError(f"{self._where}: answers without choices")
        choice, usage = said.choices[0], said.usage
        read, written = (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0)
        cost = (read * self._options.prompt_price + written * self._options.completion_price) / 1e6
        tokens = choice.logprobs.content if choice.logprobs and choice.logprobs.content else []
        text = (choice.message.content or "")[:_MAX_CHARACTERS]
        return Answer(text, float(sum(token.logprob for token in tokens)), read, written, cost)

    def _line(self, what: str, error: Exception) -> str:
        return f"{self._where}: {what}: {self._told(error)}"

    @property
    def _where(self) -> str:
        return f"model {self._options.name} at {self._options.base_url}"

    def _told(self, error: Exception) -> str:
        """The server's message in one line; a server may repeat the key in it."""
        cause = error.__cause__ if isinstance(error, openai.APIConnectionError) and error.__cause__ else error
        text = " ".join(str(cause).split())[:300] or type(cause).__name__
        return text if self._options.key == _NO_KEY else text.replace(self._options.key, "***")


_TROUBLES: dict[type[Exception], str] = {
    openai.APIConnectionError: "cannot be reached, start it or give another model.base_url",
    openai.APITimeoutError: "does not answer in time, raise model.timeout_s",
    openai.AuthenticationError: "refuses the key, see model.key_variable",
    openai.PermissionDeniedError: "refuses the key, see model.key_variable",
    openai.NotFoundError: "has no such model or address, see model.name and model.base_url",
    openai.RateLimitError: "is too busy or the quota is spent, lower model.concurrency",
}


class _Pace:
    """Spaces requests evenly.

    Args:
        per_minute: Most requests in a minute; None for no limit.
    """

    def __init__(self, per_minute: float | None) -> None:
        self._gap_s = 60 / per_minute if per_minute else 0.0
        self._next, self._lock = 0.0, threading.Lock()

    def wait(self) -> None:
        """Wait for one's turn."""
        with self._lock:
            begin = max(self._next, time.monotonic())
            self._next = begin + self._gap_s
        time.sleep(max(0.0, begin - time.monotonic()))
