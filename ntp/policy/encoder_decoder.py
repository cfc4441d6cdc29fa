"""An encoder-decoder language model: every state is encoded once for all tactics decoded from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812
from transformers import EncoderDecoderCache

from ntp.policy.decoder import LanguageModel
from ntp.policy.scorer import TokenIds, length_groups, pad_rows

# ByT5's tokens are bytes, about four per token of other models.
MAX_ENCODER_TOKENS = 8192


@dataclass(frozen=True, slots=True)
class EncodedStates:
    """S encoded states.

    Attributes:
        hidden_SPD: Last hidden states of the encoder.
        mask_SP: Which tokens are real.
    """

    hidden_SPD: Tensor
    mask_SP: Tensor

    def select(self, index_S: Tensor) -> EncodedStates:
        """The states with these indices, in this order."""
        return EncodedStates(self.hidden_SPD[index_S], self.mask_SP[index_S])

    @property
    def mean_SD(self) -> Tensor:  # noqa: N802 - the suffix is the shape
        """Mean over the real tokens of each state."""
        weight_SP1 = self.mask_SP[..., None].to(self.hidden_SPD.dtype)
        return (self.hidden_SPD * weight_SP1).sum(1) / weight_SP1.sum(1)


@dataclass(frozen=True, slots=True)
class EncoderDecoder(LanguageModel):
    """An encoder-decoder language model with `use_shared_encoder`.

    Attributes:
        start_id: The token that decoding starts with.
    """

    start_id: int

    def encode(self, prompts: Sequence[TokenIds]) -> EncodedStates:
        """Encode prompts; consecutive ones of similar length are encoded in one batch."""
        lengths = [len(prompt) for prompt in prompts]
        width, parts = max(lengths), []
        encoder = self.model.get_encoder()
        for begin, end in length_groups(lengths, MAX_ENCODER_TOKENS):
            ids_BL = pad_rows(prompts[begin:end], self.stop_id, self.device)
            mask_BL = _is_real(lengths[begin:end], ids_BL.shape[1], self.device)
            hidden_BLD = encoder(input_ids=ids_BL, attention_mask=mask_BL.long()).last_hidden_state
            parts.append(F.pad(hidden_BLD, (0, 0, 0, width - hidden_BLD.shape[1])))
        return EncodedStates(torch.cat(parts), _is_real(lengths, width, self.device))

    def hidden(
        self, ids_BL: Tensor, states: EncodedStates, cache: EncoderDecoderCache | None = None
    ) -> Tensor:
        """Last hidden states of the decoder, (B, L, D).

        Args:
            ids_BL: Tokens, with B = S * N rows: N for the first state, then N for the second, and so on.
                Without a cache they begin with `start_id`. Padding comes last.
            states: S states.
            cache: Keys and values of earlier tokens, extended by these, and of the states.
        """
        output = self.model.get_decoder()(
            input_ids=ids_BL,
            encoder_hidden_states=states.hidden_SPD,
            encoder_attention_mask=states.mask_SP[:, None, None],
            past_key_values=cache,
            use_cache=cache is not None,
        )
        config = self.model.config
        # T5 with tied embeddings scales the input of its head (Raffel et al. 2020).
        scale = config.d_model**-0.5 if getattr(config, "scale_decoder_outputs", False) else 1.0
        return output.last_hidden_state * scale


def _is_real(lengths: Sequence[int], width: int, device: torch.device) -> Tensor:
    return torch.arange(width, device=device) < torch.tensor(lengths, device=device)[:, None]
