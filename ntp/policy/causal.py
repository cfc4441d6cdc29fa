"""Policies that are causal language models: a tactic continues its state."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from peft import PeftModel
from torch import Tensor
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from ntp.errors import ConfigError
from ntp.policy.decoder import Decoder, Precision
from ntp.policy.policy import TacticPolicy, plain_model, suppressed_ids
from ntp.policy.prompt import PromptEncoder, PromptFormat
from ntp.policy.sampler import TreeContinuations
from ntp.policy.scorer import TextScores, TokenIds, score_tactics, score_texts


class CausalPolicy(TacticPolicy):
    """A causal language model as a policy.

    Args:
        model: A Hugging Face causal language model, plain or with PEFT adapters.
        tokenizer: Its tokenizer; the EOS token ends a tactic unless `stop` is given.
        prompt: Format of the prompt.
        max_tactic_tokens: Maximum length; a tactic of this many tokens ends with probability one.
        top_p: Nucleus of the sampling distribution, in (0, 1].
        precision: `fp32`, or `bf16` for bfloat16 matrix products: twice as fast on CPUs with AVX512-BF16, but
            scores then differ from sampled log-probabilities by rounding, about 1e-2.
        stop: Text of the token that ends a tactic, for models that were not trained to end it with EOS.

    Raises:
        ConfigError: A limit is out of range or beyond what the model can attend to, the tokenizer has no EOS
            token, or `stop` is not one of its tokens.
    """

    requirement = "full attention that takes 4D masks and position ids"
    decoder: Decoder

    def __init__(
        self,
        model: PreTrainedModel | PeftModel,
        tokenizer: PreTrainedTokenizerBase,
        prompt: PromptFormat,
        max_tactic_tokens: int,
        top_p: float = 1.0,
        precision: Precision = "fp32",
        stop: str | None = None,
    ) -> None:
        plain, stop_id = plain_model(model), stop_token(tokenizer, stop)
        decoder = Decoder(plain, stop_id, suppressed_ids(tokenizer, plain.config, stop_id), precision)
        prompts = PromptEncoder(tokenizer, prompt)
        super().__init__(model, tokenizer, prompts, decoder, max_tactic_tokens, top_p)
        _require_room(plain.config, prompts.max_tokens + max_tactic_tokens)

    def with_plain_prompts(self) -> CausalPolicy:
        """The same model, shown its states as they are: for prompts that others have laid out."""
        plain = copy.copy(self)
        plain.prompt = PromptFormat("{state}", None, self.prompt.max_state_tokens)
        plain._prompts = PromptEncoder(self.tokenizer, plain.prompt)
        return plain

    def score_texts(self, states: Sequence[str], tactics: Sequence[Sequence[int]]) -> TextScores:
        """Log-probabilities of states, as texts, and of one tactic in each, differentiable.

        Raises:
            ValueError: As for `score`.
        """
        return score_texts(self.decoder, self._prompts.encode(states), tactics, self.max_tactic_tokens)

    @torch.no_grad()
    def state_features(self, states: Sequence[str]) -> Tensor:
        """Last hidden states at the end of the prompts, (B, hidden_size), float32, without gradient."""
        features = []
        with self._evaluating(), self.decoder.autocast():
            for prompt in self._prompts.encode(states):
                ids_BL = torch.tensor([prompt], device=self.device)
                position_BL = torch.arange(len(prompt), device=ids_BL.device)[None]
                features.append(self.decoder.hidden(ids_BL, position_BL)[:, -1].float())
        return torch.cat(features)

    def plain_logits(self, prompt: TokenIds, tactic: TokenIds) -> Tensor:
        """The model's logits at every token of a tactic, (L, V), from one plain forward pass."""
        ids_BL = torch.tensor([[*prompt, *tactic]], device=self.device)
        with self.decoder.autocast():
            return self.decoder.model(input_ids=ids_BL).logits[0, len(prompt) - 1 : -1]

    def _open(self, prompts: Sequence[TokenIds], num_branches: Sequence[int]) -> TreeContinuations:
        return TreeContinuations(self.decoder, prompts, num_branches, self.max_tactic_tokens)

    def _score(self, prompts: Sequence[TokenIds], tactics: Sequence[Sequence[TokenIds]]) -> Tensor:
        return score_tactics(self.decoder, prompts, tactics, self.max_tactic_tokens)


def stop_token(tokenizer: PreTrainedTokenizerBase, text: str | None) -> int:
    """The token that ends a tactic: EOS, or the last one of `text`.

    Raises:
        ConfigError: There is no EOS token, or `text` is not a token by itself.
    """
    if text is None:
        if tokenizer.eos_token_id is None:
            raise ConfigError("the tokenizer has no EOS token, which ends a tactic")
        return int(tokenizer.eos_token_id)  # pyright: ignore[reportArgumentType]
    # Some tokenizers start with a token for the beginning of a word.
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    if not ids or tokenizer.decode(ids[-1:], clean_up_tokenization_spaces=False) != text:
        raise ConfigError(f"stop={text!r} is not one token of this model: a tactic cannot end with it")
    return int(ids[-1])


def _require_room(config: PretrainedConfig, num_tokens: int) -> None:
    for name in ("max_position_embeddings", "sliding_window"):
        limit = getattr(config, name, None)
        if limit is not None and num_tokens > limit:
            raise ConfigError(
                f"a prompt and a tactic may have {num_tokens} tokens, but the model's {name} is {limit}: "
                "lower max_state_tokens or max_tactic_tokens"
            )
