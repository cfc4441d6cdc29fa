"""Premises for a text that is in no project: what its `Require` sentences make visible."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ntp.data.coq.declarations import read_command
from ntp.data.coq.modules import Library
from ntp.data.dataset import Dataset
from ntp.envs.coq.syntax import CoqSyntaxError, Sentence, sentences
from ntp.retrieval.base import Retrieved
from ntp.retrieval.corpus import PremiseCorpus
from ntp.retrieval.lexical import BM25Retriever
from ntp.retrieval.options import RetrievalOptions
from ntp.types import Span, Theorem

_PRELUDE = "Coq.Init.Prelude"
_NOWHERE = Span(0, 0)


class PremiseSearch:
    """BM25 over the premises of a data set that a text has loaded.

    Args:
        directory: A data set, the output directory of an extraction.
        cache: Directory of cached indices.

    Raises:
        DataError: The directory contains no data set, or one without premises.
    """

    def __init__(self, directory: Path, cache: Path) -> None:
        dataset = Dataset.load(directory)
        self._retriever = BM25Retriever(
            PremiseCorpus.of(dataset), cache, RetrievalOptions.k1, RetrievalOptions.b
        )
        self._module_of = {file.path: file.module for file in dataset.files}
        self._library = Library({file.module: file.path for file in dataset.files}, {})

    def search(self, text: str, query: str, num: int) -> list[Retrieved]:
        """The `num` best premises for a query, best first.

        Args:
            text: A Coq file up to where the premises are needed; what it loads is searched.
            query: A goal, a statement or names.
            num: Maximum number of premises.

        Raises:
            DataError: Nothing that the text loads is in the data set.
        """
        context = "".join(f"import {module}\n" for module in [_PRELUDE, *self._required(text)])
        theorem = Theorem("", "", "", _NOWHERE, _NOWHERE, context)
        return self._retriever.retrieve([query], [theorem], num)[0]

    def _required(self, text: str) -> Iterator[str]:
        """Logical names of the modules that a text requires, as far as the data set has them."""
        for sentence in whole_sentences(text):
            if "Require" in sentence.text:
                for file in self._library.imports(read_command(sentence.text), ""):
                    yield self._module_of.get(file, file)


def whole_sentences(text: str) -> Iterator[Sentence]:
    """The sentences of a text, without one that it ends inside of."""
    found = sentences(text)
    try:
        yield from found
    except CoqSyntaxError:
        return
