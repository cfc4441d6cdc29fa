"""What a model wrote, without what it said around it."""

from __future__ import annotations

import re

# A fence may stand at the end of a line of talk, and the last one may never be closed.
_BLOCK = re.compile(r"```[ \t]*([\w+-]*)[^\n]*\n(.*?)(?:\n[ \t]*```|```|\Z)", re.S)
_PROVERS = ("coq", "rocq", "lean", "lean4")
_STATEMENT = re.compile(
    r"\s*(?:Lemma|Theorem|Corollary|Proposition|Remark|Fact|Example|Property|Goal|Definition|Instance)\b"
)
_PROOF = re.compile(r"^[ \t]*Proof\b", re.M)


def fenced(answer: str) -> str:
    """The last block of code of an answer, one marked as a prover's before others; without one, all of it.

    A model that thinks aloud writes drafts first, so the last block is the one that it means.
    """
    blocks = [(match[1].lower(), match[2]) for match in _BLOCK.finditer(answer)]
    marked = [text for tag, text in blocks if tag in _PROVERS]
    if marked or blocks:
        return (marked or [text for _, text in blocks])[-1].strip()
    return answer.strip()


def script_of(answer: str) -> str:
    """The proof in an answer: its block of code, without a statement that is repeated before `Proof`."""
    text = fenced(answer)
    begin = _PROOF.search(text) if _STATEMENT.match(text) else None
    return text[begin.start() :].strip() if begin else text
