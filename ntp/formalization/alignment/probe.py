"""The probe: a causal language model whose Fisher information and hidden states describe texts."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ntp.errors import DataError
from ntp.models.backbone import load_causal_lm, load_tokenizer


@dataclass(frozen=True)
class Probe:
    """A causal language model in float32, with its tokenizer.

    Attributes:
        model: The model; its weights are never changed.
        tokenizer: Its tokenizer.
        max_tokens: Texts are cut after so many tokens.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    max_tokens: int = 128

    @staticmethod
    def load(name_or_path: str | Path, max_tokens: int = 128) -> Probe:
        """Load a probe by hub name or local path.

        Raises:
            CheckpointError: It cannot be found or read, or is no causal language model.
        """
        model = load_causal_lm(name_or_path, dtype="float32").eval()
        return Probe(model, load_tokenizer(name_or_path), max_tokens)

    def encode(self, texts: Sequence[str]) -> list[Tensor]:
        """The token ids of each text, (L,); texts of fewer than two tokens predict nothing and are left out.

        Raises:
            DataError: No text has two tokens.
        """
        encoded = [self.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
        kept = [torch.tensor(ids[: self.max_tokens]) for ids in encoded if len(ids) > 1]
        if not kept:
            raise DataError("a batch of texts has no text of two tokens: nothing is predicted in it")
        return [ids.to(self.model.device) for ids in kept]

    @torch.no_grad()
    def hidden_states(self, ids_L: Tensor) -> Tensor:
        """What the head reads at each token, (L, D)."""
        return head_inputs(self.model, ids_L)

    def with_own_head(self) -> PreTrainedModel:
        """A copy of the model whose output layer shares no weights with its input embeddings."""
        model = copy.deepcopy(self.model).eval()
        tied = model.get_output_embeddings()
        assert tied is not None
        head = nn.Linear(tied.in_features, tied.out_features, bias=tied.bias is not None)
        head.load_state_dict({name: value.clone() for name, value in tied.state_dict().items()})
        model.set_output_embeddings(head.to(model.device))
        model.config.tie_word_embeddings = False
        return model


def head_inputs(model: PreTrainedModel, ids_L: Tensor) -> Tensor:
    """What the output layer of a model reads at each token of a text, (L, D)."""
    seen: list[Tensor] = []
    head = model.get_output_embeddings()
    assert head is not None
    hook = head.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    try:
        model(input_ids=ids_L[None], use_cache=False)
    finally:
        hook.remove()
    return seen[0][0]
