"""One encoder for states and premises, whose similarity is the inner product of their unit vectors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ntp.errors import CheckpointError, ConfigError
from ntp.models.backbone import load_text_encoder, load_tokenizer
from ntp.models.tokenizer import vocabulary_hash

DESCRIPTION_FILE = "ntp_retriever.json"

# ReProver's max_seq_len, in bytes for ByT5: the default for encoders saved without limits.
_DEFAULT_TOKENS = 1024


class DualEncoder(nn.Module):
    """A shared encoder, mean-pooled over tokens and L2-normalised, as ReProver's `PremiseRetriever._encode`.

    Long states are truncated at the start, which keeps the conclusion, and long premises at the end.

    Args:
        model: A Hugging Face text encoder.
        tokenizer: Its tokenizer; symbols that look like special tokens are read as plain text.
        max_state_tokens: Maximum tokens of a state.
        max_premise_tokens: Maximum tokens of a premise.

    Raises:
        ConfigError: A limit is below 2, or the tokenizer has no padding token.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        max_state_tokens: int = _DEFAULT_TOKENS,
        max_premise_tokens: int = _DEFAULT_TOKENS,
    ) -> None:
        super().__init__()
        for name, limit in (("state", max_state_tokens), ("premise", max_premise_tokens)):
            if limit < 2:
                raise ConfigError(f"max_{name}_tokens={limit} leaves nothing to read: give at least 2")
        if tokenizer.pad_token_id is None:
            raise ConfigError("the tokenizer has no padding token, which batches of texts need")
        self.model = model
        self.tokenizer = tokenizer
        self.max_state_tokens = max_state_tokens
        self.max_premise_tokens = max_premise_tokens

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return self.model.device

    def encode_states(self, states: Sequence[str]) -> Tensor:
        """Unit vectors of states, (N, D)."""
        return self._encode(states, self.max_state_tokens, "left")

    def encode_premises(self, documents: Sequence[str]) -> Tensor:
        """Unit vectors of premises, (N, D)."""
        return self._encode(documents, self.max_premise_tokens, "right")

    def save(self, directory: Path) -> None:
        """Write the model, the tokenizer and `ntp_retriever.json`."""
        directory.mkdir(parents=True, exist_ok=True)
        self.model.save_pretrained(str(directory))
        self.tokenizer.save_pretrained(directory)
        limits = {name: getattr(self, name) for name in ("max_state_tokens", "max_premise_tokens")}
        (directory / DESCRIPTION_FILE).write_text(json.dumps(limits, indent=2) + "\n")

    @staticmethod
    def load(name_or_path: str | Path) -> DualEncoder:
        """Load what `save` wrote, or any pretrained encoder by hub name or local path.

        Raises:
            CheckpointError: It cannot be found or read, or weights are missing.
        """
        model, tokenizer = load_text_encoder(name_or_path), load_tokenizer(name_or_path)
        return DualEncoder(model, tokenizer, **_read_limits(Path(name_or_path) / DESCRIPTION_FILE))

    def fingerprint(self) -> str:
        """Hash of all weights, the vocabulary and the limits: 16 hexadecimal digits."""
        digest = hashlib.sha256(vocabulary_hash(self.tokenizer).encode())
        digest.update(f"{self.max_state_tokens} {self.max_premise_tokens}".encode())
        for name, weight in sorted(self.model.state_dict().items()):
            digest.update(name.encode() + weight.detach().float().cpu().numpy().tobytes())
        return digest.hexdigest()[:16]

    def _encode(self, texts: Sequence[str], max_tokens: int, cut: Literal["left", "right"]) -> Tensor:
        self.tokenizer.truncation_side = cut
        batch = self.tokenizer(
            list(texts),
            padding="longest",
            truncation=True,
            max_length=max_tokens,
            split_special_tokens=True,
            return_tensors="pt",
        ).to(self.device)
        if batch["input_ids"].shape[1] == 0:  # only empty texts, which no model accepts
            return torch.zeros(len(texts), self.model.config.hidden_size, device=self.device)
        hidden_NLD = self.model(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]
        ).last_hidden_state.float()
        mask_NL1 = batch["attention_mask"].unsqueeze(-1).to(hidden_NLD.dtype)
        # An empty text has no token to average over: its vector is zero.
        mean_ND = (hidden_NLD * mask_NL1).sum(1) / mask_NL1.sum(1).clamp_min(1)
        return functional.normalize(mean_ND, dim=1)


@torch.no_grad()
def encode_all(
    encode: Callable[[Sequence[str]], Tensor],
    texts: Sequence[str],
    batch_size: int,
    on_encoded: Callable[[int], object] = lambda num: None,  # noqa: ARG005
) -> NDArray[np.float32]:
    """Encode any number of texts without gradient, batched by length.

    Args:
        encode: A method of a `DualEncoder` in evaluation mode.
        texts: N texts, at least one.
        batch_size: Texts encoded at once.
        on_encoded: Called with the number of newly encoded texts.

    Returns:
        Vectors in the order of the texts, (N, D).
    """
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    parts = []
    for begin in range(0, len(order), batch_size):
        batch = order[begin : begin + batch_size]
        parts.append(encode([texts[i] for i in batch]).cpu().numpy())
        on_encoded(len(batch))
    vectors = np.empty((len(texts), parts[0].shape[1]), dtype=np.float32)
    vectors[order] = np.concatenate(parts)
    return vectors


def _read_limits(path: Path) -> dict[str, int]:
    if not path.is_file():
        return {}
    try:
        return {str(name): int(value) for name, value in json.loads(path.read_text()).items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise CheckpointError(f"{path} is corrupt ({error}); train the retriever again") from error
