"""Pairs mined from the comments of installed Coq libraries."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ntp.envs.coq.syntax import CoqSyntaxError, sentences
from ntp.formalization.records import TEST, TRAIN, Pair
from ntp.seeding import derive_seed

# A documentation comment and the statement right after it.
_COMMENTED = re.compile(
    r"\(\*\*(?![*)])((?:(?!\(\*|\*\)).)*)\*\)\s*"
    r"(?=(?:Lemma|Theorem|Corollary|Proposition|Fact|Remark)\s)",
    re.DOTALL,
)
_TWO_WORDS = re.compile(r"[a-z]{2} [a-z]{2}")
# After which statements are checked. Many of these need more: sections, notations, modules.
HEADER = """From Coq Require Import Arith Bool List ZArith Relations.
Import ListNotations."""
_MIN_CHARS, _MAX_CHARS = 12, 400
_PERMILLE = 1000


def commented_pairs(roots: Iterable[Path], held_out: float) -> Iterator[Pair]:
    """Statements with the documentation comment before them; equal pairs are given once.

    Args:
        roots: Directories of libraries.
        held_out: Share of files whose pairs are the test part.
    """
    seen: set[tuple[str, str]] = set()
    for root in roots:
        for path in sorted(root.rglob("*.v")):
            file = f"{root.name}/{path.relative_to(root)}"
            is_test = derive_seed("held out", file) % _PERMILLE < held_out * _PERMILLE
            text = path.read_text(encoding="utf-8", errors="replace")
            for number, (informal, formal) in enumerate(_commented(text)):
                if (informal, formal) not in seen:
                    seen.add((informal, formal))
                    split = TEST if is_test else TRAIN
                    yield Pair(f"{file}:{number}", informal, formal, HEADER, "coq", split, "coqdoc", file)


def _commented(text: str) -> Iterator[tuple[str, str]]:
    for match in _COMMENTED.finditer(text):
        informal = " ".join(match[1].split())
        if informal.startswith("*") or not _TWO_WORDS.search(informal):  # a heading, or no prose
            continue
        try:
            formal = next(sentences(text, match.end())).text
        except (CoqSyntaxError, StopIteration):
            continue
        if _MIN_CHARS <= len(informal) <= _MAX_CHARS and len(formal) <= _MAX_CHARS:
            yield informal, " ".join(formal.split())
