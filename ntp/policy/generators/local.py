"""A causal language model of this process as a generator, asked by its chat template."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from ntp.errors import ConfigError
from ntp.policy.causal import CausalPolicy
from ntp.policy.generators.base import Answer, ChatRequest
from ntp.policy.generators.templates import chat_template, question_ids
from ntp.types import Message, Tactic


class LocalGenerator:
    """Answers conversations with a policy's model. One call computes at a time.

    Args:
        policy: The model. Its `max_tactic_tokens` bounds an answer, its `max_state_tokens` a conversation:
            of a longer one the end of the last message is left out, which is where the least useful of what
            is shown stands.

    Raises:
        ConfigError: The tokenizer has no chat template, or the model stops at the end of a line.
    """

    def __init__(self, policy: CausalPolicy) -> None:
        chat_template(policy.tokenizer)
        stop = str(policy.tokenizer.decode([policy.decoder.stop_id]))
        if stop and not stop.strip():
            raise ConfigError(
                f"the model stops at {stop!r}, and answers have several lines: give model.stop=null"
            )
        self._policy = policy
        self._lock = threading.Lock()

    def generate(self, requests: Sequence[ChatRequest]) -> list[list[Answer]]:
        """See `Generator.generate`; an answer is a function of its conversation, seed and temperature."""
        prompts = [self._prompt(request.messages) for request in requests]
        with self._lock:
            rows = self._policy.sample_after(prompts, [request.draws for request in requests])
        return [[_answer(tactic, len(ids)) for tactic in row] for ids, row in zip(prompts, rows, strict=True)]

    def _prompt(self, messages: Sequence[Message]) -> list[int]:
        tokenizer, limit = self._policy.tokenizer, self._policy.prompt.max_state_tokens
        ids = question_ids(messages, tokenizer)
        *before, last = messages
        while len(ids) > limit and last.content:
            content = tokenizer(last.content, add_special_tokens=False)["input_ids"]
            assert isinstance(content, list)
            kept = tokenizer.decode(content[: max(0, len(content) - (len(ids) - limit))])
            # What is decoded may be longer than its tokens were, so every turn shortens the text.
            last = replace(last, content=kept[: len(last.content) - 1])
            ids = question_ids((*before, last), tokenizer)
        return ids


def _answer(tactic: Tactic, num_read: int) -> Answer:
    num_written = len(tactic.token_ids) + 1  # the stop token
    return Answer(tactic.text, tactic.log_prob, num_read, num_written, token_ids=tactic.token_ids)
