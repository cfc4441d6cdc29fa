"""Lexical retrieval: BM25 over the parts of names, and over symbols."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path

import bm25s

from ntp.errors import ConfigError, DataError
from ntp.retrieval.base import Retrieved, best
from ntp.retrieval.cache import cached_directory
from ntp.retrieval.corpus import PremiseCorpus
from ntp.types import Theorem

# Names with their dots (Lean's may end in ! or ?), numbers, runs of ASCII symbols, other symbols one by one.
_TOKEN = re.compile(r"[^\W\d][\w'!?]*(?:\.[^\W\d][\w'!?]*)*|\d+|[!-/:-@\[-^`{-~]+|[^\w\s]")
_PART = re.compile(r"[^\W\d_]+'*|\d+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

# Increase this with every change of `words`, so that older indices are not reused.
_WORDS_VERSION = 1


class BM25Retriever:
    """Okapi BM25 (Robertson and Zaragoza 2009; the `bm25s` package in its Lucene variant).

    Args:
        corpus: The premises.
        cache: Directory of cached indices.
        k1: Saturation of repeated words, above 0; with a lower value repetitions count less.
        b: Penalty of long premises, from 0 to 1.

    Raises:
        ConfigError: A parameter is out of range.
        DataError: The index cannot be written or read back.
    """

    def __init__(self, corpus: PremiseCorpus, cache: Path, k1: float, b: float) -> None:
        if not (k1 > 0 and 0 <= b <= 1):
            raise ConfigError(f"retrieval.k1={k1}, retrieval.b={b}: give k1 above 0 and b from 0 to 1")
        self._corpus = corpus
        options = json.dumps([corpus.key, _WORDS_VERSION, k1, b])
        key = hashlib.sha256(options.encode()).hexdigest()[:16]

        def fill(directory: Path) -> None:
            index = bm25s.BM25(k1=k1, b=b)
            texts = (f"{premise.full_name}\n{premise.statement}" for premise in corpus.premises)
            index.index([words(text) for text in texts], show_progress=False)
            index.save(str(directory), show_progress=False)

        directory = cached_directory(cache / f"bm25-{key}", fill)
        try:
            self._index = bm25s.BM25.load(str(directory))
        except (OSError, ValueError, KeyError) as error:
            raise DataError(
                f"{directory} is corrupt ({error}); delete it to index the premises again"
            ) from None

    def retrieve(self, states: Sequence[str], theorems: Sequence[Theorem], num: int) -> list[list[Retrieved]]:
        """The accessible premises with the highest scores; see `Retriever`."""
        found = []
        for state, theorem in zip(states, theorems, strict=True):
            score_M = self._index.get_scores_from_ids(self._index.get_tokens_ids(words(state)))
            numbers = best(score_M, self._corpus.mask(theorem), num)
            found.append([Retrieved(self._corpus.premises[n], int(n), float(score_M[n])) for n in numbers])
        return found


def words(text: str) -> list[str]:
    """Tokens of a state or premise: whole names, their last parts, their parts in lower case, symbols.

    `Nat.mul_succ` gives itself, `mul_succ`, `nat`, `mul` and `succ`; `isOpen` itself, `is` and `open`.
    """
    found: list[str] = []
    for token in _TOKEN.findall(text):
        found.append(token)
        if token[0].isalpha() or token[0] == "_":
            last = token.rpartition(".")[2]
            parts = [part.lower() for piece in _PART.findall(token) for part in _CAMEL.split(piece)]
            found += [extra for extra in (last, *parts) if extra != token]
    return found
