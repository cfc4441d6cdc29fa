"""Requests to sample or score tactics, and the encoding of states as prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from ntp.errors import ConfigError
from ntp.types import Tactic, Theorem

# The policy's own distribution.
TEMPERATURE = 1.0


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """Parameters of one sample, which depends only on them and the state, not on the rest of the batch.

    Attributes:
        seed: Determines all random numbers of the sample; non-negative.
        temperature: Divides the logits for sampling. `Tactic.log_prob` is untempered.
        first: Tactic with which the trajectory begins, in place of a sampled one; None for none.

    Raises:
        ConfigError: The temperature is not positive.
    """

    seed: int
    temperature: float = TEMPERATURE
    first: str | None = None

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ConfigError(f"temperature={self.temperature} cannot be used: give a number above 0")


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """A request to sample tactics in one state.

    Attributes:
        state: Text of the state, as the policy reads it.
        draws: Parameters of each sample.
        theorem: The theorem that the state belongs to, for proposers that retrieve premises.
        exclude: None for independent samples. Otherwise the tactics are sampled without replacement: their
            texts differ from one another and from those of these tactics, which were sampled in the same
            state with the same temperature. There are fewer than `draws` if the policy has no others.
    """

    state: str
    draws: tuple[SamplingParams, ...]
    theorem: Theorem | None = None
    exclude: tuple[Tactic, ...] | None = None


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """A request to score tactics in one state, given as token ids without the stop token."""

    state: str
    tactics: tuple[tuple[int, ...], ...]


_FIELD = "{state}"

# States with different ends: the common end of their prompts comes from the template.
_PROBES = ("n : nat\n⊢ n = 0", "⊢ P x", "h : (A)")


@dataclass(frozen=True, slots=True)
class PromptFormat:
    """The format of a prompt.

    Attributes:
        template: Text with one `{state}`, for example `[GOAL]{state}[PROOFSTEP]`.
        marker: A special token put after it, for tokenizers that have one.
        max_state_tokens: Longer prompts are truncated at the start of the state, which keeps the conclusion
            and, of premises in front of the state (`ntp.retrieval.augmentation`), the best ones, put last.

    Raises:
        ConfigError: The template lacks `{state}`, or no room is left for the state.
    """

    template: str
    marker: str | None
    max_state_tokens: int

    def __post_init__(self) -> None:
        if self.template.count(_FIELD) != 1:
            raise ConfigError(f"prompt template {self.template!r} must contain {_FIELD} once")
        if self.max_state_tokens < 1:
            raise ConfigError(f"max_state_tokens={self.max_state_tokens} leaves no room for the state")


class PromptEncoder:
    """Encodes states as prompts. Symbols that look like special tokens are read as plain text.

    Args:
        tokenizer: Its BOS token is put first if it adds one by default.
        layout: Format of the prompts.
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
        """The common last tokens of all prompts, between state and tactic; may be empty."""
        if self._tail:
            return tuple(self._tail)
        end: list[int] = []
        for tokens in zip(*map(reversed, self.encode(_PROBES)), strict=False):
            if len(set(tokens)) > 1:
                break
            end.append(tokens[0])
        return tuple(reversed(end))

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of plain texts, without special tokens."""
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
