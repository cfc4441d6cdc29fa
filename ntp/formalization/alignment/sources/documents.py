"""Documents, and samples of them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ntp.errors import DataError
from ntp.jsonl import read_jsonl
from ntp.seeding import derive_seed

MAX_CHARS = 1200  # of a document; longer texts are cut


@dataclass(frozen=True, slots=True)
class Document:
    """A text.

    Attributes:
        text: The text, stripped and not empty.
        origin: Where it is from: a file, a theorem or a module.
    """

    text: str
    origin: str


def sample(documents: Iterable[Document], max_chars: int, name: str) -> list[Document]:
    """Different documents in random order, until they have so many characters.

    A file's documents are not all together, so that a sample is one of the whole source.

    Args:
        documents: All documents of a source.
        max_chars: Characters after which the sample ends.
        name: Name of the source, from which the order is drawn.
    """
    different = list({d.text: d for d in documents if d.text.strip()}.values())
    random.Random(derive_seed("documents", name)).shuffle(different)
    kept: list[Document] = []
    left = max_chars
    for document in different:
        if left <= 0:
            break
        kept.append(document)
        left -= len(document.text)
    return kept


def load_documents(path: Path) -> list[Document]:
    """The documents of a file.

    Raises:
        DataError: It is missing, corrupt or empty.
    """
    documents = list(read_jsonl(path, Document))
    if not documents:
        raise DataError(f"{path}: holds no document")
    return documents


def pieces(text: str, max_chars: int) -> list[str]:
    """A long text cut at line ends into pieces of at most so many characters; a longer line is cut itself."""
    found: list[str] = []
    piece = ""
    for line in text.splitlines(keepends=True):
        if piece and len(piece) + len(line) > max_chars:
            found.append(piece)
            piece = ""
        while len(line) > max_chars:
            found.append(line[:max_chars])
            line = line[max_chars:]
        piece += line
    return [stripped for part in [*found, piece] if (stripped := part.strip())]


def chars_of(documents: Sequence[Document]) -> int:
    """Number of characters of documents together."""
    return sum(len(document.text) for document in documents)
