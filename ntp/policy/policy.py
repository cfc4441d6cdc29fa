"""The policy: a language model that proposes tactics and scores them."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from ntp.errors import ConfigError
from ntp.models.backbone import architecture
from ntp.models.tokenizer import vocabulary_hash
from ntp.policy.decoder import Decoder, Precision
from ntp.policy.prompt import PromptEncoder, PromptFormat
from ntp.policy.requests import Draw, SampleRequest, ScoreRequest
from ntp.policy.sampler import sample_tactics
from ntp.policy.scorer import TextScores, score_tactics, score_texts
from ntp.types import Tactic

DESCRIPTION_FILE = "ntp_policy.json"


class TacticPolicy(nn.Module):
    """P_F(tactic | state): a causal language model read token by token up to the stop token.

    Args:
        model: A Hugging Face causal language model, plain or with PEFT adapters.
        tokenizer: Its tokenizer; the EOS token ends a tactic.
        prompt: How a state is laid out.
        max_tactic_tokens: Tactics of this many tokens are stopped with probability one.
        top_p: Nucleus of the sampling distribution, in (0, 1].
        precision: `fp32`, or `bf16` for bfloat16 matrix products: twice as fast on CPUs with AVX512-BF16, but
            scores then differ from sampled log-probabilities by rounding, about 1e-2.

    Raises:
        ConfigError: A limit is out of range or beyond what the model can attend to, or the tokenizer has no
            EOS token.
    """

    def __init__(
        self,
        model: PreTrainedModel | PeftModel,
        tokenizer: PreTrainedTokenizerBase,
        prompt: PromptFormat,
        max_tactic_tokens: int,
        top_p: float = 1.0,
        precision: Precision = "fp32",
    ) -> None:
        super().__init__()
        if max_tactic_tokens < 1:
            raise ConfigError(f"max_tactic_tokens={max_tactic_tokens} leaves no room for a tactic")
        if not 0 < top_p <= 1:
            raise ConfigError(f"top_p={top_p} is not in (0, 1]")
        if tokenizer.eos_token_id is None:
            raise ConfigError("the tokenizer has no EOS token, which ends a tactic")
        self.model = model
        self.tokenizer = tokenizer
        self.prompt = prompt
        self.max_tactic_tokens = max_tactic_tokens
        self.top_p = top_p
        self._prompts = PromptEncoder(tokenizer, prompt)
        self.decoder = _make_decoder(model, tokenizer, precision)
        _require_room(self.decoder.model.config, self._prompts.max_tokens + max_tactic_tokens)

    def sample(self, requests: Sequence[SampleRequest]) -> list[list[Tactic]]:
        """Draw tactics, without gradient and in evaluation mode.

        Returns:
            Per request one tactic per draw, in order: a function of its state, seed and temperature alone.
        """
        return self._sample(requests, self.top_p)

    def greedy(self, states: Sequence[str]) -> list[Tactic]:
        """For each state the tactic whose every token is the most likely one."""
        requests = [SampleRequest(state, (Draw(seed=0),)) for state in states]
        # The smallest nucleus is the most likely token alone, whatever the random number.
        return [tactic for (tactic,) in self._sample(requests, top_p=sys.float_info.min)]

    def score(self, requests: Sequence[ScoreRequest]) -> Tensor:
        """Log P_F of tactics in nats, untempered, stop token included, differentiable.

        States and tactics that occur several times are computed once.

        Returns:
            Flat, one per (request, tactic), in order, (N,).

        Raises:
            ValueError: A tactic is longer than `max_tactic_tokens` or holds a special token.
        """
        slots: dict[str, dict[tuple[int, ...], int]] = {}
        for request in requests:
            slots.setdefault(request.state, {}).update(dict.fromkeys(request.tactics, 0))
        pairs = [(state, tactic) for state, tactics in slots.items() for tactic in tactics]
        for index, (state, tactic) in enumerate(pairs):
            slots[state][tactic] = index
        unique_M = score_tactics(
            self.decoder,
            self._prompts.encode(list(slots)),
            [list(tactics) for tactics in slots.values()],
            self.max_tactic_tokens,
        )
        order = [slots[request.state][tactic] for request in requests for tactic in request.tactics]
        return unique_M[torch.tensor(order, dtype=torch.long, device=unique_M.device)]

    def score_texts(self, states: Sequence[str], tactics: Sequence[Sequence[int]]) -> TextScores:
        """Log-probabilities of states, as texts, and of one tactic in each, differentiable.

        Raises:
            ValueError: As for `score`.
        """
        return score_texts(self.decoder, self._prompts.encode(states), tactics, self.max_tactic_tokens)

    @torch.no_grad()
    def state_features(self, states: Sequence[str]) -> Tensor:
        """Last hidden states at the end of the prompts, (B, D), float32, without gradient."""
        features = []
        with self.decoder.autocast():
            for prompt in self._prompts.encode(states):
                ids_BL = torch.tensor([prompt], device=self.decoder.device)
                position_BL = torch.arange(len(prompt), device=ids_BL.device)[None]
                features.append(self.decoder.hidden(ids_BL, position_BL)[:, -1].float())
        return torch.cat(features)

    def encode_state(self, state: str) -> list[int]:
        """Token ids of a state's prompt, up to where a tactic begins."""
        return self._prompts.encode([state])[0]

    @property
    def prompt_end_ids(self) -> tuple[int, ...]:
        """Token ids that every prompt ends with, between state and tactic; empty if there are none."""
        return self._prompts.end_ids

    def encode_tactic(self, text: str) -> tuple[int, ...]:
        """Token ids without stop token, cut to `max_tactic_tokens` as a sampled tactic would be."""
        return tuple(self._prompts.tokenize([text])[0][: self.max_tactic_tokens])

    def decode_tactic(self, ids: Sequence[int]) -> str:
        """Text of a tactic, without white space around it."""
        return self._decode_many([ids])[0]

    def make_reference(self) -> TacticPolicy:
        """A frozen policy equal to this one now: the prior of a GFlowNet.

        What is trained is copied; frozen weights, such as the backbone under LoRA, are shared, not copied.
        """
        frozen = [*self.buffers(), *(p for p in self.parameters() if not p.requires_grad)]
        shared = {id(tensor): tensor for tensor in (*frozen, self.tokenizer)}
        return copy.deepcopy(self, shared).requires_grad_(False).eval()

    @property
    def has_adapters(self) -> bool:
        """Whether the model is a frozen one under adapters."""
        return isinstance(self.model, PeftModel)

    def merge_adapters(self) -> None:
        """Add adapters, if there are any, to the weights under them, in place: a plain model again."""
        if isinstance(self.model, PeftModel):
            merged = self.model.merge_and_unload()  # pyright: ignore[reportCallIssue]
            self.model = merged
            self.decoder = replace(self.decoder, model=merged)

    def trainable_parameters(self) -> list[nn.Parameter]:
        """Parameters that are trained."""
        return [p for p in self.parameters() if p.requires_grad]

    def description(self) -> dict[str, Any]:
        """What a saved policy and a configuration must agree on; see `describe`."""
        lora = self.model.peft_config["default"] if isinstance(self.model, PeftModel) else None
        return describe(
            self.decoder.model.config,
            self.tokenizer,
            base=None if lora is None else lora.base_model_name_or_path,
            lora_rank=None if lora is None else lora.r,  # pyright: ignore[reportAttributeAccessIssue]
        )

    def save(self, directory: str | Path) -> None:
        """Write the model (under PEFT its adapter only), the tokenizer and `ntp_policy.json`."""
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

    def _sample(self, requests: Sequence[SampleRequest], top_p: float) -> list[list[Tactic]]:
        prompts = self._prompts.encode([request.state for request in requests])
        training = self.model.training
        self.model.eval()
        try:
            results = sample_tactics(
                self.decoder, prompts, [r.draws for r in requests], self.max_tactic_tokens, top_p
            )
        finally:
            self.model.train(training)
        texts = iter(self._decode_many([ids for ids, _ in results]))
        drawn = iter(results)
        return [[Tactic(next(texts), *next(drawn)) for _ in request.draws] for request in requests]

    def _decode_many(self, tactics: Sequence[Sequence[int]]) -> list[str]:
        if not tactics:
            return []
        return [text.strip() for text in self.tokenizer.batch_decode([list(ids) for ids in tactics])]


def describe(
    config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase, base: str | None, lora_rank: int | None
) -> dict[str, Any]:
    """What a saved policy and a configuration must agree on.

    Args:
        config: Of the model.
        tokenizer: Of the model.
        base: Name or path of the frozen model under adapters; its last component counts.
        lora_rank: Of the adapters; None without.
    """
    return {
        "base": None if base is None else Path(base).name,
        "lora_rank": lora_rank,
        "vocabulary": vocabulary_hash(tokenizer),
        **architecture(config),
    }


def _make_decoder(
    model: PreTrainedModel | PeftModel, tokenizer: PreTrainedTokenizerBase, precision: Precision
) -> Decoder:
    plain = model.get_base_model() if isinstance(model, PeftModel) else model
    assert isinstance(plain, PreTrainedModel)
    stop_id = int(tokenizer.eos_token_id)  # pyright: ignore[reportArgumentType]
    # Models often have more embeddings than their tokenizer has tokens, or fewer.
    vocab_size = plain.config.vocab_size
    suppressed = {*tokenizer.all_special_ids, *range(len(tokenizer), vocab_size)} - {stop_id}
    return Decoder(plain, stop_id, tuple(sorted(id for id in suppressed if id < vocab_size)), precision)


def _require_room(config: PretrainedConfig, num_tokens: int) -> None:
    for name in ("max_position_embeddings", "sliding_window"):
        limit = getattr(config, name, None)
        if limit is not None and num_tokens > limit:
            raise ConfigError(
                f"a prompt and a tactic may have {num_tokens} tokens, but the model's {name} is {limit}: "
                "lower max_state_tokens or max_tactic_tokens"
            )
