"""Trains byte-level BPE tokenizers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from ntp.errors import ConfigError

PAD, STOP, MARKER = "<pad>", "<stop>", "<tactic>"
_SPECIAL = [PAD, STOP, MARKER]

# Parts of an identifier (`Nat.mul_succ`, `isOpen`), numbers, runs of ASCII symbols, other symbols one by one.
_WORD = r"\p{Lu}?\p{Ll}+'*|\p{Lu}+(?!\p{Ll})|\p{L}|\d+|[!-/:-@\[-`{-~]+|[^\s]"


def train_tokenizer(texts: Iterable[str], vocab_size: int = 2048) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer: every text round-trips, also with unseen symbols.

    The result is a function of the texts alone.

    Args:
        texts: Proof states and tactics.
        vocab_size: Maximum number of tokens, including the 256 bytes and the special tokens.

    Raises:
        ConfigError: `vocab_size` has no room for the bytes and the special tokens.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(texts, _bpe_trainer(vocab_size, _SPECIAL))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=STOP,
        extra_special_tokens=[MARKER],
        clean_up_tokenization_spaces=False,
    )


def train_word_tokenizer(texts: Iterable[str], vocab_size: int = 4096) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer for encoders, whose tokens of a word do not depend on its context.

    Words are the parts of identifiers, numbers and symbols; blanks are dropped. So `mul` is the same token in
    `Nat.mul_succ`, `mul_comm` and `(mul n m)`, and texts can be compared token by token.

    Args:
        texts: Proof states and premises.
        vocab_size: Maximum number of tokens, including the 256 bytes and the padding token.

    Raises:
        ConfigError: `vocab_size` has no room for the bytes and the padding token.
    """
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(_WORD), behavior="removed", invert=True)
    to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, to_bytes])
    tokenizer.train_from_iterator(texts, _bpe_trainer(vocab_size, [PAD]))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=PAD)


def _bpe_trainer(vocab_size: int, special: list[str]) -> trainers.BpeTrainer:
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    if vocab_size < len(alphabet) + len(special):
        raise ConfigError(
            f"vocab_size={vocab_size} is too small for a byte-level tokenizer: "
            f"give at least {len(alphabet) + len(special)}"
        )
    return trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )


def vocabulary_hash(tokenizer: PreTrainedTokenizerBase) -> str:
    """Identifies the mapping from tokens to ids: 16 hexadecimal digits."""
    return sha256(json.dumps(sorted(tokenizer.get_vocab().items())).encode()).hexdigest()[:16]
