"""What a policy is asked: requests to sample or to score tactics, and the prompt a state becomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from ntp.errors import ConfigError
from ntp.types import Theorem

# The policy's own distribution.
TEMPERATURE = 1.0


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """One sample to be drawn; the result depends on this and the state, not on what else is drawn.

    Attributes:
        seed: Determines all random numbers of the draw; non-negative.
        temperature: Divides the logits of the distribution sampled from. `Tactic.log_prob` is untempered.

    Raises:
        ConfigError: The temperature is not positive.
    """

    seed: int
    temperature: float = TEMPERATURE

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ConfigError(f"temperature={self.temperature} cannot be sampled at: give a number above 0")


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """SamplingParams tactics in one state.

    Attributes:
        state: As the policy reads it.
        draws: One tactic for each.
        theorem: Whose proof the state belongs to, for proposers that retrieve what it may use.
    """

    state: str
    draws: tuple[SamplingParams, ...]
    theorem: Theorem | None = None


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """Score tactics in one state. Each tactic is its token ids, without the stop token."""

    state: str
    tactics: tuple[tuple[int, ...], ...]


_FIELD = "{state}"

# States that end differently: what their prompts have in common at the end is the layout's.
_PROBES = ("n : nat\n⊢ n = 0", "⊢ P x", "h : (A)")


@dataclass(frozen=True, slots=True)
class PromptFormat:
    """How a state is laid out before a tactic.

    Attributes:
        template: Text with one `{state}`, for example `[GOAL]{state}[PROOFSTEP]`.
        marker: A special token put after it, for tokenizers that have one.
        max_state_tokens: Longer prompts lose tokens at the start of the state, so the conclusion is kept; of
            premises in front of it (`ntp.retrieval.augmentation`), the best ones, which stand last.

    Raises:
        ConfigError: The template lacks `{state}`, or no room is left for the state.
    """

    template: str
    marker: str | None
    max_state_tokens: int

    def __post_init__(self) -> None:
        if self.template.count(_FIELD) != 1:
            raise ConfigError(f"prompt template {self.template!r} must hold {_FIELD} once")
        if self.max_state_tokens < 1:
            raise ConfigError(f"max_state_tokens={self.max_state_tokens} leaves no room for the state")


class PromptEncoder:
    """Encodes states as prompts. Symbols that look like special tokens are read as plain text.

    Args:
        tokenizer: Its BOS token is put first where it has one that it adds by itself.
        layout: Of states.
        end: Tokens put after every prompt.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, layout: PromptFormat, end: Sequence[int] = ()
    ) -> None:
        self.layout = layout
        self._tokenizer = tokenizer
        self._before, self._after = layout.template.split(_FIELD)
        bos = tokenizer("")["input_ids"][:1]
        self._head = [token for token in bos if token == tokenizer.bos_token_id]
        self._tail: list[int] = []
        if layout.marker is not None:
            self._tail += tokenizer.convert_tokens_to_ids([layout.marker])  # pyright: ignore[reportOperatorIssue]
        self._tail += end
        num_before, num_after = (len(ids) for ids in self.tokenize([self._before, self._after]))
        self._num_before = num_before
        self._max_text_tokens = num_before + layout.max_state_tokens + num_after
        self.max_tokens = len(self._head) + self._max_text_tokens + len(self._tail)

    @property
    def end_ids(self) -> tuple[int, ...]:
        """The tokens that every prompt ends with, between state and tactic; empty if there are none."""
        if self._tail:
            return tuple(self._tail)
        end: list[int] = []
        for tokens in zip(*map(reversed, self.encode(_PROBES)), strict=False):
            if len(set(tokens)) > 1:
                break
            end.append(tokens[0])
        return tuple(reversed(end))

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of plain texts, no special tokens added."""
        if not texts:
            return []
        return self._tokenizer(list(texts), add_special_tokens=False, split_special_tokens=True)["input_ids"]

    def encode(self, states: Sequence[str]) -> list[list[int]]:
        """Prompts of states, each at most `max_tokens` long."""
        texts = [self._before + state + self._after for state in states]
        return [self._head + self._cut(ids) + self._tail for ids in self.tokenize(texts)]

    def _cut(self, ids: list[int]) -> list[int]:
        excess = len(ids) - self._max_text_tokens
        return ids if excess <= 0 else ids[: self._num_before] + ids[self._num_before + excess :]
