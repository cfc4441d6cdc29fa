"""What a model wrote, without what it said around it."""

from __future__ import annotations

import re

_FENCE = "```"
_PROVERS = ("coq", "rocq", "lean", "lean4")
_STATEMENT = re.compile(
    r"\s*(?:Lemma|Theorem|Corollary|Proposition|Remark|Fact|Example|Property|Goal|Definition|Instance)\b"
)
_PROOF = re.compile(r"^[ \t]*Proof\b", re.M)


def fenced(answer: str) -> str:
    """The last block of code of an answer, one marked as a prover's before others; without one, all of it.

    A model that thinks aloud writes drafts first, so the last block is the one that it means.
    """
    # Split rather than searched for: a hostile answer must not take long. The last block may not be closed.
    blocks = [_block(part) for part in answer.split(_FENCE)[1::2]]
    marked = [text for tag, text in blocks if tag in _PROVERS]
    if marked or blocks:
        return (marked or [text for _, text in blocks])[-1].strip()
    return answer.strip()


def _block(part: str) -> tuple[str, str]:
    """The mark of a block, in lower case, and its text."""
    mark, line_end, text = part.partition("\n")
    return (mark.strip().lower(), text) if line_end else ("", part)


def script_of(answer: str) -> str:
    """The proof in an answer: its block of code, without a statement that is repeated before `Proof`."""
    text = fenced(answer)
    begin = _PROOF.search(text) if _STATEMENT.match(text) else None
    return text[begin.start() :].strip() if begin else text
