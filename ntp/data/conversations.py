"""Instruction and chat data as it is trained on, in the formats of TRL.

A line is a JSON object with `messages` (a conversation), or with `prompt` and `completion`, which are texts
or both lists of messages. Other keys are ignored.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ntp.errors import DataError
from ntp.types import Message

ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class Conversation:
    """Messages, of which those of the assistant from `first_trained` on are learned."""

    messages: tuple[Message, ...]
    first_trained: int = 0


@dataclass(frozen=True, slots=True)
class Completion:
    """A text and what follows it, which is learned."""

    prompt: str
    completion: str


Example = Conversation | Completion


def read_examples(path: Path) -> Iterator[Example]:
    """Stream the examples of a file.

    Raises:
        DataError: The file is missing or holds no example, or a line is none.
    """
    number = 0
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for line in lines:
                number += 1
                if line.strip():
                    yield _example(json.loads(line))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}:{number or 1}: {' '.join(str(error).split())}") from None
    if not number:
        raise DataError(f"{path}: holds no example")


def _example(value: Any) -> Example:
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    if "messages" in value:
        messages = _messages(value["messages"])
        _require_answer(messages, 0)
        return Conversation(messages)
    if not {"prompt", "completion"} <= value.keys():
        raise ValueError("give messages, or prompt and completion")
    prompt, completion = value["prompt"], value["completion"]
    if isinstance(prompt, str) and isinstance(completion, str):
        if not completion:
            raise ValueError("the completion is empty")
        return Completion(prompt, completion)
    before = _messages(prompt)
    messages = (*before, *_messages(completion))
    _require_answer(messages, len(before))
    return Conversation(messages, len(before))


def _messages(value: Any) -> tuple[Message, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError("messages: give a list of {role, content}")
    found = []
    for message in value:
        if not isinstance(message, dict) or not {"role", "content"} <= message.keys():
            raise ValueError("messages: give role and content of each")
        if not isinstance(message["role"], str) or not isinstance(message["content"], str):
            raise ValueError("messages: role and content are texts")
        found.append(Message(message["role"], message["content"]))
    return tuple(found)


def _require_answer(messages: tuple[Message, ...], first: int) -> None:
    if not any(message.role == ASSISTANT for message in messages[first:]):
        raise ValueError("no message of the assistant, so nothing to learn")
