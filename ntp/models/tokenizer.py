"""A byte-level BPE tokenizer, trained on the texts at hand."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from ntp.errors import ConfigError

PAD, STOP, MARKER = "<pad>", "<stop>", "<tactic>"
_SPECIAL = [PAD, STOP, MARKER]


def train_tokenizer(texts: Iterable[str], vocab_size: int = 2048) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer: every text round-trips, also one made of unseen symbols.

    The result is a function of the texts' contents alone.

    Args:
        texts: Proof states and tactics.
        vocab_size: Most tokens, the 256 bytes and the special tokens included; few texts may yield fewer.

    Raises:
        ConfigError: `vocab_size` has no room for the bytes and the special tokens.
    """
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    if vocab_size < len(alphabet) + len(_SPECIAL):
        raise ConfigError(
            f"vocab_size={vocab_size} is too small for a byte-level tokenizer: "
            f"give at least {len(alphabet) + len(_SPECIAL)}"
        )
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=_SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=STOP,
        extra_special_tokens=[MARKER],
        clean_up_tokenization_spaces=False,
    )


def vocabulary_hash(tokenizer: PreTrainedTokenizerBase) -> str:
    """Identifies the mapping from tokens to ids: 16 hexadecimal digits."""
    return sha256(json.dumps(sorted(tokenizer.get_vocab().items())).encode()).hexdigest()[:16]
