"""Tokens and labels of instruction and chat data: learned are completions and the assistant's turns only."""

from __future__ import annotations

from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from ntp.data.conversations import ASSISTANT, Completion, Conversation, Example
from ntp.errors import DataError
from ntp.policy.generators.templates import apply_template, chat_template

IGNORED = -100
_MARKED = "{% generation %}"


@dataclass(frozen=True, slots=True)
class Encoded:
    """An example as tokens.

    Attributes:
        ids: Token ids.
        labels: The same where they are learned, `IGNORED` elsewhere; never learned is the first token, which
            nothing precedes.
    """

    ids: tuple[int, ...]
    labels: tuple[int, ...]

    @property
    def num_learned(self) -> int:
        """Number of tokens that are learned."""
        return sum(label != IGNORED for label in self.labels)


def encode(example: Example, tokenizer: PreTrainedTokenizerBase, template: str | None = None) -> Encoded:
    """Tokens and labels of an example.

    A completion ends with the tokenizer's end of text, which is learned. A template that marks the
    assistant's turns (`{% generation %}`) says itself what is learned; with another one it is what a turn
    adds to the text that asks for it, up to its end-of-text token if it has one.

    Args:
        example: The example.
        tokenizer: The tokenizer.
        template: Chat template in place of the tokenizer's.

    Raises:
        ConfigError: The tokenizer has no chat template, or the template cannot show the messages.
        DataError: The template changes earlier turns, so that turns cannot be told apart.
    """
    if isinstance(example, Completion):
        return _completion(example, tokenizer)
    template = template or chat_template(tokenizer)
    ids, learned = (_marked if _is_marked(template) else _by_turns)(example, tokenizer, template)
    labels = [token if is_learned else IGNORED for token, is_learned in zip(ids, learned, strict=True)]
    return Encoded(tuple(ids), (IGNORED, *labels[1:]))


def _completion(example: Completion, tokenizer: PreTrainedTokenizerBase) -> Encoded:
    end = str(tokenizer.eos_token or "")
    completion = example.completion if example.completion.endswith(end) else example.completion + end
    before = tokenizer(example.prompt)["input_ids"]
    ids = tokenizer(example.prompt + completion)["input_ids"]
    assert isinstance(before, list) and isinstance(ids, list)
    # A token may reach over the boundary: it is then a token of the completion.
    shared = next((i for i, (a, b) in enumerate(zip(before, ids, strict=False)) if a != b), len(before))
    return Encoded(tuple(ids), (*[IGNORED] * max(1, shared), *ids[max(1, shared) :]))


def _is_marked(template: str) -> bool:
    return _MARKED.replace(" ", "") in template.replace(" ", "").replace("-", "")


def _marked(
    example: Conversation, tokenizer: PreTrainedTokenizerBase, template: str
) -> tuple[list[int], list[bool]]:
    messages = example.messages
    applied = apply_template(messages, tokenizer, template, return_assistant_tokens_mask=True)
    ids, learned = list(applied["input_ids"]), [bool(flag) for flag in applied["assistant_masks"]]
    if example.first_trained:
        before = apply_template(messages[: example.first_trained], tokenizer, template)["input_ids"]
        learned[: len(before)] = [False] * len(before)
    return ids, learned


def _by_turns(
    example: Conversation, tokenizer: PreTrainedTokenizerBase, template: str
) -> tuple[list[int], list[bool]]:
    messages = example.messages
    ids = list(apply_template(messages, tokenizer, template)["input_ids"])
    learned = [False] * len(ids)
    for index, message in enumerate(messages):
        if message.role != ASSISTANT or index < example.first_trained:
            continue
        asked = apply_template(messages[:index], tokenizer, template, add_generation_prompt=True)["input_ids"]
        said = apply_template(messages[: index + 1], tokenizer, template)["input_ids"]
        begin, end = len(asked), len(said)
        if ids[:begin] != list(asked) or ids[:end] != list(said):
            raise DataError(
                "the chat template changes earlier turns; mark the assistant's with {% generation %}"
            )
        turn = ids[begin:end]
        if tokenizer.eos_token_id in turn:
            end = begin + len(turn) - turn[::-1].index(tokenizer.eos_token_id)
        learned[begin:end] = [True] * (end - begin)
    return ids, learned
