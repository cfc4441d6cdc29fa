"""Chat templates: the tokens of a conversation, the same in training and when a model is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transformers import PreTrainedTokenizerBase

from ntp.errors import ConfigError
from ntp.types import Message

# For tokenizers without a template: ChatML, with the tokenizer's own end of text.
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] + eos_token }}"
    "{% endgeneration %}{% else %}{{ message['content'] + '<|im_end|>' }}{% endif %}{{ '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def chat_template(tokenizer: PreTrainedTokenizerBase) -> str:
    """A tokenizer's own template.

    Raises:
        ConfigError: It has none.
    """
    template = tokenizer.chat_template
    if not isinstance(template, str):
        raise ConfigError(
            "the model's tokenizer has no chat template: train it with module.chat_template=FILE, or "
            "choose a model that was trained on conversations"
        )
    return template


def apply_template(
    messages: Sequence[Message], tokenizer: PreTrainedTokenizerBase, template: str, **options: Any
) -> Any:
    """A conversation as tokens: `apply_chat_template` of transformers, with its `input_ids` and masks.

    Raises:
        ConfigError: The template cannot show the messages.
    """
    shown = [{"role": message.role, "content": message.content} for message in messages]
    try:
        return tokenizer.apply_chat_template(
            shown, chat_template=template, tokenize=True, return_dict=True, **options
        )
    except Exception as error:  # a template raises what it likes
        raise ConfigError(
            f"the chat template cannot show the messages: {' '.join(str(error).split())}"
        ) from None


def question_ids(messages: Sequence[Message], tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The tokens after which the assistant's answer begins: those that it began after in training."""
    applied = apply_template(messages, tokenizer, chat_template(tokenizer), add_generation_prompt=True)
    return list(applied["input_ids"])
