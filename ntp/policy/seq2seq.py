"""Policies that are encoder-decoder models: the encoder reads a state, the decoder its tactics."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ntp.errors import ConfigError
from ntp.models.shared_encoder import use_shared_encoder
from ntp.policy.decoder import Precision
from ntp.policy.encoded_continuations import EncodedContinuations
from ntp.policy.encoded_scorer import score_tactics
from ntp.policy.encoder_decoder import EncoderDecoder
from ntp.policy.policy import TacticPolicy, plain_model, suppressed_ids
from ntp.policy.prompt import PromptEncoder, PromptFormat, ScoreRequest
from ntp.policy.scorer import TextScores, TokenIds


class Seq2SeqPolicy(TacticPolicy):
    """An encoder-decoder model as a policy, such as ReProver's ByT5 (Yang et al. 2023, section 5).

    Prompts end with the tokenizer's end of text, EOS for T5. Decoding starts with the model's
    `decoder_start_token_id`, and a tactic ends with EOS.

    Args:
        model: A Hugging Face encoder-decoder model, plain or with PEFT adapters. Its attention is replaced.
        tokenizer: Its tokenizer.
        prompt: Format of the prompt.
        max_tactic_tokens: Maximum length; a tactic of this many tokens ends with probability one.
        top_p: Nucleus of the sampling distribution, in (0, 1].
        precision: `fp32`, or `bf16` for bfloat16 matrix products under autocast.

    Raises:
        ConfigError: A limit is out of range or beyond the model's positions, or the model lacks EOS or start.
        CheckpointError: The model's attention cannot be replaced.
    """

    requirement = "attention of transformers' own, with a cache, and an output that is its head's"
    decoder: EncoderDecoder

    def __init__(
        self,
        model: PreTrainedModel | PeftModel,
        tokenizer: PreTrainedTokenizerBase,
        prompt: PromptFormat,
        max_tactic_tokens: int,
        top_p: float = 1.0,
        precision: Precision = "fp32",
    ) -> None:
        plain, stop_id = plain_model(model), tokenizer.eos_token_id
        start_id = plain.config.decoder_start_token_id
        if stop_id is None or start_id is None:
            raise ConfigError("an encoder-decoder policy needs an EOS token and a decoder_start_token_id")
        use_shared_encoder(plain)
        suppressed = suppressed_ids(tokenizer, plain.config, int(stop_id))  # pyright: ignore[reportArgumentType]
        decoder = EncoderDecoder(plain, int(stop_id), suppressed, precision, start_id)  # pyright: ignore[reportArgumentType]
        end = tokenizer("")["input_ids"][-1:]
        prompts = PromptEncoder(tokenizer, prompt, end=[token for token in end if token == stop_id])
        super().__init__(model, tokenizer, prompts, decoder, max_tactic_tokens, top_p)
        limit = getattr(plain.config, "max_position_embeddings", None)
        if limit is not None and max(prompts.max_tokens, max_tactic_tokens) > limit:
            raise ConfigError(
                f"a prompt may have {prompts.max_tokens} tokens and a tactic {max_tactic_tokens}, but the "
                f"model's max_position_embeddings is {limit}: lower max_state_tokens or max_tactic_tokens"
            )

    def score_texts(self, states: Sequence[str], tactics: Sequence[Sequence[int]]) -> TextScores:
        """Log-probabilities of one tactic in each state, differentiable.

        An encoder does not predict a state's tokens, so there are no log-probabilities of states.

        Raises:
            ValueError: As for `score`.
        """
        requests = [ScoreRequest(s, (tuple(t),)) for s, t in zip(states, tactics, strict=True)]
        tactic_N = self.score(requests)
        nothing_N = torch.zeros(len(requests), device=tactic_N.device)
        return TextScores(tactic_N, nothing_N, nothing_N)

    @torch.no_grad()
    def state_features(self, states: Sequence[str]) -> Tensor:
        """Mean of the encoder's last hidden states, (B, hidden_size), float32, without gradient."""
        with self._evaluating(), self.decoder.autocast():
            features = [self.decoder.encode([prompt]).mean_SD for prompt in self._prompts.encode(states)]
        return torch.cat(features).float()

    def plain_logits(self, prompt: TokenIds, tactic: TokenIds) -> Tensor:
        """The model's logits at every token of a tactic, (L, V), from one plain forward pass."""
        fed = [self.decoder.start_id, *tactic[:-1]]
        with self.decoder.autocast():
            output = self.decoder.model(
                input_ids=torch.tensor([prompt], device=self.device),
                decoder_input_ids=torch.tensor([fed], device=self.device),
                use_cache=False,
            )
        return output.logits[0]

    def _open(self, prompts: Sequence[TokenIds], num_branches: Sequence[int]) -> EncodedContinuations:  # noqa: ARG002
        return EncodedContinuations(self.decoder, prompts)

    def _score(self, prompts: Sequence[TokenIds], tactics: Sequence[Sequence[TokenIds]]) -> Tensor:
        return score_tactics(self.decoder, prompts, tactics, self.max_tactic_tokens)
