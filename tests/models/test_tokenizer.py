import random

import pytest

from ntp.errors import ConfigError
from ntp.models.tokenizer import MARKER, PAD, STOP, train_tokenizer, vocabulary_hash

TEXTS = ["n : nat\n⊢ n + 0 = n", "induction n; simpl; auto.", "⊢ forall n m : nat, n + m = m + n"] * 5


def encode(tokenizer, text):
    return tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]


def test_every_text_round_trips():
    tokenizer = train_tokenizer(TEXTS, 300)
    rng = random.Random(0)
    texts = ["", " a  b ", "λ∀😀\t\n", "x<stop>y", *TEXTS[:3]]
    texts += ["".join(chr(rng.randrange(1, 0xD7FF)) for _ in range(30)) for _ in range(20)]
    for text in texts:
        assert tokenizer.decode(encode(tokenizer, text)) == text


def test_special_tokens_are_never_read_out_of_text():
    tokenizer = train_tokenizer(TEXTS, 300)
    special = set(tokenizer.all_special_ids)
    assert len(special) == 3
    assert special.isdisjoint(encode(tokenizer, f"{PAD}{STOP}{MARKER}"))


def test_deterministic_and_bounded():
    first, second = train_tokenizer(TEXTS, 280), train_tokenizer(iter(TEXTS), 280)
    assert vocabulary_hash(first) == vocabulary_hash(second)
    assert len(first) == 280
    assert vocabulary_hash(first) != vocabulary_hash(train_tokenizer(TEXTS, 270))


def test_training_shortens_what_it_saw():
    tokenizer = train_tokenizer(TEXTS, 300)
    assert len(encode(tokenizer, TEXTS[1])) < len(TEXTS[1].encode())


def test_too_small_vocabulary():
    with pytest.raises(ConfigError, match="at least 259"):
        train_tokenizer(TEXTS, 258)
