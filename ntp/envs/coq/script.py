"""Canonical spelling of Coq tactics, and their parts between top-level semicolons."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ntp.envs.coq.syntax import CoqSyntaxError, is_structure, read_script
from ntp.envs.coq.tokens import Token, tokens
from ntp.types import Rejected

_OPENING = {"(", "[", "{", "[|", "{|", "match", "lazymatch", "multimatch"}
_CLOSING = {")", "]", "}", "|]", "|}", "end"}
# Blanks are never needed inside of these, or in front of these.
_TIGHT_AFTER = {"(", "["}
_TIGHT_BEFORE = {")", "]", ";", ","}


class CoqScriptSyntax:
    """See `ScriptSyntax`. `(auto; simpl in * ).`, `1: auto;simpl in *.` are both `auto` and `simpl in *`."""

    def components(self, tactic: str) -> list[str]:
        """See `ScriptSyntax.components`. A dispatch (`; [ ... | ... ]`) belongs to the tactic before it."""
        if self.is_structure(tactic):
            return [tactic.strip()]
        try:
            found = tokens(tactic)
        except CoqSyntaxError:
            return [tactic.strip()]
        if found and found[-1].text == ".":
            found = found[:-1]
        if [token.text for token in found[:2]] == ["1", ":"]:
            found = found[2:]
        parts = [_spelled(part, tactic) for part in _flattened(found)]
        return [part for part in parts if part] or [tactic.strip()]

    def is_structure(self, text: str) -> bool:
        """Bullets and braces."""
        return is_structure(text.strip())

    def sentences(self, script: str) -> list[str]:
        """See `ScriptSyntax.sentences`. What opens and closes the proof is left out."""
        found = read_script(script)
        return [] if isinstance(found, Rejected) else found

    def join(self, components: Sequence[str]) -> str:
        """See `ScriptSyntax.join`."""
        if len(components) == 1 and self.is_structure(components[0]):
            return components[0]
        text = "; ".join(components)
        # After a symbol such as `*`, a dot without a blank could be read as part of it.
        return f"{text}." if text[-1].isalnum() or text[-1] in "_')]\"" else f"{text} ."


def _flattened(found: Sequence[Token]) -> list[Sequence[Token]]:
    """The parts between top-level semicolons, those of a part in parentheses included."""
    parts = _split(found)
    if len(parts) > 1:
        return [inner for part in parts for inner in _flattened(part)]
    (part,) = parts
    return _flattened(part[1:-1]) if _is_enclosed(part) else [part]


def _split(found: Sequence[Token]) -> list[Sequence[Token]]:
    parts: list[Sequence[Token]] = []
    depth = begin = 0
    for index, token in enumerate(found):
        depth += (token.text in _OPENING) - (token.text in _CLOSING)
        following = found[index + 1].text if index + 1 < len(found) else ""
        if token.text == ";" and depth == 0 and not following.startswith("["):
            parts.append(found[begin:index])
            begin = index + 1
    return [*parts, found[begin:]]


def _is_enclosed(part: Sequence[Token]) -> bool:
    """Whether the first parenthesis closes at the end."""
    if len(part) < 3 or part[0].text != "(" or part[-1].text != ")":
        return False
    depth = 0
    for token in part[:-1]:
        depth += (token.text in _OPENING) - (token.text in _CLOSING)
        if depth == 0:
            return False
    return True


def _spelled(part: Sequence[Token], source: str) -> str:
    """The tokens with single blanks where the source has any and they may matter, and after `;` and `,`."""
    text = "".join(source[token.span.begin : token.span.end] for token in part[:1])
    for before, token in pairwise(part):
        text += " " * _is_apart(before, token) + source[token.span.begin : token.span.end]
    return text


def _is_apart(before: Token, token: Token) -> bool:
    if before.text in (";", ","):
        return True
    if before.text in _TIGHT_AFTER and _is_word(token):
        return False
    if token.text in _TIGHT_BEFORE and (_is_word(before) or before.text in _TIGHT_BEFORE):
        return False
    return before.span.end < token.span.begin


def _is_word(token: Token) -> bool:
    return token.kind != "symbol"
