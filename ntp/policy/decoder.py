"""The calls that sampling and scoring make on a language model: hidden states, and log-probabilities."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from transformers import Cache, PreTrainedModel

Precision = Literal["fp32", "bf16"]


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """A language model over the tokens a tactic may hold.

    Attributes:
        model: Without adapters around it; they may be inside.
        stop_id: Token that ends a tactic.
        suppressed_ids: Tokens that never occur in a tactic, masked before the softmax.
        precision: `bf16` runs matrix products in bfloat16 under autocast, softmaxes in float32.
    """

    model: PreTrainedModel
    stop_id: int
    suppressed_ids: tuple[int, ...]
    precision: Precision

    @property
    def device(self) -> torch.device:
        """Where the model lives."""
        return self.model.device

    def autocast(self) -> AbstractContextManager[object]:
        """The context to run the model in."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16")

    def log_probs(self, hidden_MD: Tensor) -> Tensor:
        """Untempered log-probabilities of the next token, (M, V), float32; suppressed tokens get -inf."""
        head = self.model.get_output_embeddings()
        assert head is not None
        return self.normalise(head(hidden_MD))

    def normalise(self, logits_MV: Tensor) -> Tensor:
        """Log-probabilities from a model's own output, as `log_probs` gives them."""
        suppressed = torch.tensor(self.suppressed_ids, dtype=torch.long, device=logits_MV.device)
        return logits_MV.float().index_fill(1, suppressed, -torch.inf).log_softmax(-1)


@dataclass(frozen=True, slots=True)
class Decoder(LanguageModel):
    """A causal language model, with attention that takes 4D masks."""

    def hidden(
        self,
        ids_BL: Tensor,
        position_BL: Tensor,
        mask_BLS: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        """Last hidden states, (B, L, D).

        Args:
            ids_BL: Tokens.
            position_BL: Their positions.
            mask_BLS: Which of the S keys each token attends to; None for causal attention.
            cache: Keys and values of earlier tokens, extended by these.
        """
        bias = None
        if mask_BLS is not None:
            bias = torch.zeros(mask_BLS.shape, dtype=self._dtype, device=self.device)
            bias = bias.masked_fill_(~mask_BLS, -torch.inf)[:, None]
        output = self.model.base_model(
            input_ids=ids_BL,
            position_ids=position_BL,
            attention_mask=bias,
            past_key_values=cache,
            use_cache=cache is not None,
        )
        return output.last_hidden_state

    @property
    def _dtype(self) -> torch.dtype:
        return torch.bfloat16 if self.precision == "bf16" else self.model.dtype
