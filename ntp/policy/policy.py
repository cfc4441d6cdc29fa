"""The base class of policies: language models that propose tactics and score them."""

from __future__ import annotations

import copy
import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any, ClassVar

import torch
from peft import PeftModel
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from ntp.errors import ConfigError
from ntp.models.backbone import architecture
from ntp.models.tokenizer import vocabulary_hash
from ntp.policy.decoder import LanguageModel
from ntp.policy.distinct import sample_distinct
from ntp.policy.prompt import PromptEncoder, SampleRequest, SamplingParams, ScoreRequest
from ntp.policy.sampler import Continuations, Sample, sample_tactics
from ntp.policy.scorer import TextScores, TokenIds
from ntp.types import Tactic

DESCRIPTION_FILE = "ntp_policy.json"


class TacticPolicy(nn.Module, ABC):
    """P_F(tactic | state): a language model read token by token up to the stop token.

    This is the interface that search, evaluation and training use. A subclass implements how prompts are
    encoded and continued (`_open`), and how given tactics are scored (`_score`).

    Args:
        model: A Hugging Face language model, plain or with PEFT adapters.
        tokenizer: Its tokenizer.
        prompts: Encodes states as prompts.
        decoder: Runs the model.
        max_tactic_tokens: Maximum length; a tactic of this many tokens ends with probability one.
        top_p: Nucleus of the sampling distribution, in (0, 1].

    Raises:
        ConfigError: A limit is out of range.
    """

    requirement: ClassVar[str]
    """What the model must support for sampling and scoring to be exact, for error messages."""

    def __init__(
        self,
        model: PreTrainedModel | PeftModel,
        tokenizer: PreTrainedTokenizerBase,
        prompts: PromptEncoder,
        decoder: LanguageModel,
        max_tactic_tokens: int,
        top_p: float,
    ) -> None:
        super().__init__()
        if max_tactic_tokens < 1:
            raise ConfigError(f"max_tactic_tokens={max_tactic_tokens} leaves no room for a tactic")
        if not 0 < top_p <= 1:
            raise ConfigError(f"top_p={top_p} is not in (0, 1]")
        self.model = model
        self.tokenizer = tokenizer
        self.prompt = prompts.layout
        self.decoder = decoder
        self.max_tactic_tokens = max_tactic_tokens
        self.top_p = top_p
        self._prompts = prompts

    def sample(self, requests: Sequence[SampleRequest]) -> list[list[Tactic]]:
        """Sample tactics, without gradient and in evaluation mode.

        Returns:
            Per request, one tactic per entry of `draws`, in order: each a function of its state, seed and
            temperature alone. Samples without replacement (`SampleRequest.exclude`) depend on one another,
            and may be fewer.
        """
        sample = partial(self._sample, top_p=self.top_p)
        if any(request.exclude is not None for request in requests):
            return sample_distinct(requests, sample)
        return [[tactic for tactic in row if tactic is not None] for row in sample(requests)]

    def greedy(self, states: Sequence[str]) -> list[Tactic]:
        """For each state, the tactic decoded greedily."""
        requests = [SampleRequest(state, (SamplingParams(seed=0),)) for state in states]
        # The smallest nucleus contains only the most likely token.
        return [
            tactic for (tactic,) in self._sample(requests, top_p=sys.float_info.min) if tactic is not None
        ]

    def score(self, requests: Sequence[ScoreRequest]) -> Tensor:
        """Log P_F of tactics in nats, untempered, stop token included, differentiable.

        States and tactics that occur several times are computed once.

        Returns:
            Flat, one per (request, tactic), in order, (N,).

        Raises:
            ValueError: A tactic is longer than `max_tactic_tokens` or contains a special token.
        """
        slots: dict[str, dict[tuple[int, ...], int]] = {}
        for request in requests:
            slots.setdefault(request.state, {}).update(dict.fromkeys(request.tactics, 0))
        pairs = [(state, tactic) for state, tactics in slots.items() for tactic in tactics]
        for index, (state, tactic) in enumerate(pairs):
            slots[state][tactic] = index
        unique_M = self._score(
            self._prompts.encode(list(slots)), [list(tactics) for tactics in slots.values()]
        )
        order = [slots[request.state][tactic] for request in requests for tactic in request.tactics]
        return unique_M[torch.tensor(order, dtype=torch.long, device=unique_M.device)]

    @abstractmethod
    def score_texts(self, states: Sequence[str], tactics: Sequence[Sequence[int]]) -> TextScores:
        """Log-probabilities of one tactic in each state, and of the state's text if the model predicts it.

        Differentiable.

        Raises:
            ValueError: As for `score`.
        """

    @abstractmethod
    def state_features(self, states: Sequence[str]) -> Tensor:
        """The model's representations of states, (B, hidden_size), float32, without gradient."""

    @abstractmethod
    def plain_logits(self, prompt: TokenIds, tactic: TokenIds) -> Tensor:
        """The model's logits at every token of a tactic, (L, V), from one plain forward pass.

        The reference for checking sampling and scoring: no cache, no packing, nothing shared.
        """

    @abstractmethod
    def _open(self, prompts: Sequence[TokenIds], num_branches: Sequence[int]) -> Continuations:
        """Encode prompts, given in ascending length."""

    @abstractmethod
    def _score(self, prompts: Sequence[TokenIds], tactics: Sequence[Sequence[TokenIds]]) -> Tensor:
        """Log-probabilities of the tactics of every prompt, flat; see `score`."""

    @property
    def device(self) -> torch.device:
        """Device of the model."""
        return self.decoder.device

    @property
    def hidden_size(self) -> int:
        """Size of `state_features`."""
        return self.decoder.model.config.hidden_size

    @property
    def is_quantized(self) -> bool:
        """Whether weights are quantised; such a model cannot be moved to another device."""
        return bool(getattr(self.decoder.model, "is_quantized", False))

    def encode_state(self, state: str) -> list[int]:
        """Token ids of a state's prompt."""
        return self._prompts.encode([state])[0]

    @property
    def prompt_end_ids(self) -> tuple[int, ...]:
        """Token ids that every prompt ends with, after the state; empty if there are none."""
        return self._prompts.end_ids

    def encode_tactic(self, text: str) -> tuple[int, ...]:
        """Token ids without the stop token, truncated to `max_tactic_tokens` like a sampled tactic."""
        ids = takewhile(lambda token: token != self.decoder.stop_id, self._prompts.tokenize([text])[0])
        return tuple(ids)[: self.max_tactic_tokens]

    def canonical_ids(self, text: str, sampled_ids: tuple[int, ...]) -> tuple[int, ...]:
        """The tokens that the tokenizer gives a text, or the sampled ones if those would be too many."""
        ids = self.encode_tactic(text)
        return ids if self.decode_tactic(ids) == text else sampled_ids

    def decode_tactic(self, ids: Sequence[int]) -> str:
        """Text of a tactic, without leading and trailing white space."""
        return self._decode_many([ids])[0]

    def make_reference(self) -> TacticPolicy:
        """A frozen copy of this policy: the prior of a GFlowNet.

        Trainable weights are copied; frozen weights, such as the backbone under LoRA, are shared.
        """
        frozen = [*self.buffers(), *(p for p in self.parameters() if not p.requires_grad)]
        shared = {id(tensor): tensor for tensor in (*frozen, self.tokenizer)}
        return copy.deepcopy(self, shared).requires_grad_(False).eval()

    @property
    def has_adapters(self) -> bool:
        """Whether the model is a frozen one with adapters."""
        return isinstance(self.model, PeftModel)

    def merge_adapters(self) -> None:
        """Merge adapters, if there are any, into the weights, in place; the result is a plain model."""
        if isinstance(self.model, PeftModel):
            merged = self.model.merge_and_unload()  # pyright: ignore[reportCallIssue]
            self.model = merged
            self.decoder = replace(self.decoder, model=merged)

    def trainable_parameters(self) -> list[nn.Parameter]:
        """The trainable parameters."""
        return [p for p in self.parameters() if p.requires_grad]

    def description(self) -> dict[str, Any]:
        """The properties that a saved policy and a configuration must agree on; see `describe`."""
        lora = self.model.peft_config["default"] if isinstance(self.model, PeftModel) else None
        return describe(
            self.decoder.model.config,
            self.tokenizer,
            base=None if lora is None else lora.base_model_name_or_path,
            lora_rank=None if lora is None else lora.r,  # pyright: ignore[reportAttributeAccessIssue]
        )

    def save(self, directory: str | Path) -> None:
        """Write the model (with PEFT only its adapter), the tokenizer and `ntp_policy.json`."""
        directory = Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        self.model.save_pretrained(str(directory))
        self.tokenizer.save_pretrained(directory)
        description = {
            **self.description(),
            "template": self.prompt.template,
            "marker": self.prompt.marker,
            "max_state_tokens": self.prompt.max_state_tokens,
            "max_tactic_tokens": self.max_tactic_tokens,
        }
        (directory / DESCRIPTION_FILE).write_text(json.dumps(description, indent=2) + "\n")

    def sample_after(
        self, prompts: Sequence[TokenIds], draws: Sequence[Sequence[SamplingParams]]
    ) -> list[list[Tactic]]:
        """As `sample`, after prompts that are given as tokens: one text per draw of each prompt."""
        rows = self._continue(prompts, draws, [()] * len(prompts), self.top_p)
        return [[tactic for tactic in row if tactic is not None] for row in rows]

    def _sample(self, requests: Sequence[SampleRequest], top_p: float) -> list[list[Tactic | None]]:
        """One tactic per draw, none of those that its request excludes."""
        prompts = self._prompts.encode([request.state for request in requests])
        excluded = [request.exclude or () for request in requests]
        return self._continue(prompts, [request.draws for request in requests], excluded, top_p)

    def _continue(
        self,
        prompts: Sequence[TokenIds],
        draws: Sequence[Sequence[SamplingParams]],
        exclude: Sequence[Sequence[Tactic]],
        top_p: float,
    ) -> list[list[Tactic | None]]:
        excluded = [
            [Sample(tactic.token_ids, tactic.log_prob, tactic.log_q) for tactic in tactics]
            for tactics in exclude
        ]
        with self._evaluating(), self.decoder.autocast():
            samples = sample_tactics(
                self._open, self.decoder.stop_id, prompts, draws, self.max_tactic_tokens, top_p, excluded
            )
        found = [sample for sample in samples if sample is not None]
        texts = self._decode_many([sample.token_ids for sample in found])
        tactics = (
            Tactic(text, s.token_ids, s.log_prob, log_q=s.log_q) for text, s in zip(texts, found, strict=True)
        )
        flat = iter([None if sample is None else next(tactics) for sample in samples])
        return [[next(flat) for _ in row] for row in draws]

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        """Switch to evaluation mode, and back afterwards."""
        training = self.model.training
        self.model.eval()
        try:
            yield
        finally:
            self.model.train(training)

    def _decode_many(self, tactics: Sequence[Sequence[int]]) -> list[str]:
        if not tactics:
            return []
        # The default clean-up of spaces before punctuation would change what was sampled.
        texts = self.tokenizer.batch_decode([list(t) for t in tactics], clean_up_tokenization_spaces=False)
        return [text.strip() for text in texts]


def describe(
    config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase, base: str | None, lora_rank: int | None
) -> dict[str, Any]:
    """The properties that a saved policy and a configuration must agree on.

    Args:
        config: Config of the model.
        tokenizer: Tokenizer of the model.
        base: Name or path of the frozen model under adapters; only its last component is compared.
        lora_rank: Rank of the adapters; None without adapters.
    """
    return {
        "base": None if base is None else Path(base).name,
        "lora_rank": lora_rank,
        "vocabulary": vocabulary_hash(tokenizer),
        **architecture(config),
    }


def plain_model(model: PreTrainedModel | PeftModel) -> PreTrainedModel:
    """The model inside PEFT's wrapper; its layers keep their adapters."""
    plain = model.get_base_model() if isinstance(model, PeftModel) else model
    assert isinstance(plain, PreTrainedModel)
    return plain


def suppressed_ids(
    tokenizer: PreTrainedTokenizerBase, config: PretrainedConfig, stop_id: int
) -> tuple[int, ...]:
    """Tokens of a model that never occur in a tactic: special ones, and those without a tokenizer entry."""
    # Models often have more embeddings than their tokenizer has tokens, or fewer.
    suppressed = {*tokenizer.all_special_ids, *range(len(tokenizer), config.vocab_size)} - {stop_id}
    return tuple(sorted(id for id in suppressed if id < config.vocab_size))
