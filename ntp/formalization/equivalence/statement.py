"""From the text of a Coq statement, which is hostile, to one term that can be defined as a proposition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ntp.envs.coq.syntax import CoqSyntaxError, guard
from ntp.envs.coq.tokens import Token, flatten, tokens
from ntp.types import Rejected

# Names of ours in a file that compares statements. A candidate that could name the reference would equal it.
PREFIX = "ntp_"

_DECLARATIONS = {
    "Theorem", "Lemma", "Corollary", "Proposition", "Remark", "Fact", "Property", "Example", "Axiom",
    "Conjecture",
}  # fmt: skip
_PAIRS = {")": "(", "]": "[", "}": "{", "|}": "{|"}
# `ltac:(...)` and its like run code while a term is read.
_QUOTATIONS = {"ltac", "ltac2", "constr", "open_constr", "uconstr", "elpi", "lp", "coq"}


def read_statement(text: str) -> str | Rejected:
    """The proposition that a text states, or why it is refused.

    Args:
        text: A term, or a declaration (`Lemma name binders : type.`) without a proof.

    Returns:
        One term without comments, on one line. It has balanced brackets, runs no code while it is read, and
        names nothing that this package defines.
    """
    try:
        found = tokens(text)
        stripped = _without_stop(text, found)
        term = stripped if isinstance(stripped, Rejected) else _term(stripped, tokens(stripped))
    except CoqSyntaxError as error:
        return Rejected(f"not one term: {error}")
    if isinstance(term, Rejected):
        return term
    # The guard of tactics: one sentence, no control characters, not too long, nothing that admits.
    guarded = guard(f"exact ({term}).")
    return guarded if isinstance(guarded, Rejected) else term


def definition(name: str, term: str) -> str:
    """The sentence that defines a proposition."""
    return f"Definition {name} : Prop := ({term})."


def _without_stop(text: str, found: Sequence[Token]) -> str | Rejected:
    """The text without comments and its last full stop."""
    if not found:
        return Rejected("empty")
    if found[-1].text == "." and text[: found[-1].span.begin].strip():
        text = text[: found[-1].span.begin]
    return flatten(text)


def _term(text: str, found: Sequence[Token]) -> str | Rejected:
    reason = _unsafe(found)
    if reason:
        return Rejected(reason)
    if not found or found[0].text not in _DECLARATIONS:
        return text
    colon = next((token for token in _outermost(found) if token.text == ":"), None)
    if len(found) < 2 or found[1].kind != "name" or colon is None:
        return Rejected(f"{found[0].text} without a name and a type")
    if any(token.text == ":=" for token in _outermost(found)):
        return Rejected(f"{found[0].text} with a body")
    binders = text[found[1].span.end : colon.span.begin].strip()
    stated = text[colon.span.end :].strip()
    return f"forall {binders}, {stated}" if binders else stated


def _unsafe(found: Sequence[Token]) -> str:
    opened: list[str] = []
    for index, token in enumerate(found):
        following = found[index + 1].text if index + 1 < len(found) else ""
        if token.text in _PAIRS.values():
            opened.append(token.text)
        elif token.text in _PAIRS and (not opened or opened.pop() != _PAIRS[token.text]):
            return "its brackets do not match"
        elif token.kind == "name" and any(part.startswith(PREFIX) for part in token.text.split(".")):
            return f"names that begin with {PREFIX} are not its own"
        elif token.text in _QUOTATIONS and following in (":", ":="):
            return f"{token.text}: runs code"
    return "its brackets do not match" if opened else ""


def _outermost(found: Sequence[Token]) -> Iterator[Token]:
    """The tokens outside all brackets."""
    depth = 0
    for token in found:
        depth -= token.text in _PAIRS
        if depth == 0:
            yield token
        depth += token.text in _PAIRS.values()
