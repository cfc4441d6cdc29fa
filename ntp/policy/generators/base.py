"""The interface of generators: conversations in, answers out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ntp.policy.prompt import SamplingParams
from ntp.types import Message


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A conversation that is to be continued by the assistant.

    Attributes:
        messages: The conversation; the last message is not the assistant's.
        draws: Seed and temperature of each answer.
    """

    messages: tuple[Message, ...]
    draws: tuple[SamplingParams, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the assistant says.

    Attributes:
        text: The answer.
        log_prob: Its log-probability in nats, the stop token included; 0 where the server does not tell it.
        num_prompt_tokens: Tokens that were read.
        num_tokens: Tokens that were written.
        cost: What they cost, in the currency of the prices.
        token_ids: The sampled tokens; empty where the server does not tell them.
        refused: Why the server refused the conversation, in one line; empty if it answered.
    """

    text: str
    log_prob: float = 0.0
    num_prompt_tokens: int = 0
    num_tokens: int = 0
    cost: float = 0.0
    token_ids: tuple[int, ...] = ()
    refused: str = ""


class Generator(Protocol):
    """A language model that answers conversations. Calls may come from several threads at once."""

    def generate(self, requests: Sequence[ChatRequest]) -> list[list[Answer]]:
        """One answer per entry of `draws` of every request, in order.

        Raises:
            ConfigError: The model cannot be asked in this way.
            GeneratorError: The server cannot be reached, or answers no request.
        """
        ...
