"""Tokens of statements of Coq and Lean, under one spelling, and how tightly operators bind."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass

from ntp.envs.coq.syntax import CoqSyntaxError
from ntp.envs.coq.tokens import flatten


@dataclass(frozen=True, slots=True)
class Token:
    """A token.

    Attributes:
        text: Its text; symbols that mean the same have one spelling.
        kind: `name`, `number`, `string` or `symbol`.
        adjacent: Whether no blank is before it.
    """

    text: str
    kind: str
    adjacent: bool


_TOKEN = re.compile(
    r'(?P<string>"[^"]*")'
    r"|(?P<number>\d+(?:\.\d+)?)"
    r"|(?P<name>[^\W\d][\w'!?]*(?:\.[\w'!?]+)*)"
    r"|(?P<symbol><->|<=>|:=|=>|->|<-|/\\|\\/|<=\?|<=|>=|=\?|<\?|<>|!=|==|::|\+\+|&&|\|\||//|\{\||\|\}|\S)"
)
_LEAN_COMMENT = re.compile(r"/-.*?-/|--[^\n]*", re.DOTALL)

_SAME = {
    "∀": "forall",
    "∃": "exists",
    "λ": "fun",
    "→": "->",
    "↔": "<->",
    "∧": "/\\",
    "∨": "\\/",
    "¬": "~",
    "≤": "<=",
    "≥": ">=",
    "≠": "<>",
    "↦": "=>",
    "×": "*",
    "·": "*",
}
# How loosely operators bind, as Coq's levels say, and whether to the right.
LEVELS: dict[str, tuple[int, bool]] = {
    **dict.fromkeys(
        ("|", ";", ":=", "=>", "with", "then", "else", "in", "return", "as", "from"), (110, True)
    ),
    ",": (105, True),
    ":": (100, True),
    "->": (99, True),
    "<->": (95, False),
    "<=>": (95, False),
    "\\/": (85, True),
    "/\\": (80, True),
    **dict.fromkeys(("=", "<>", "!=", "<", ">", "<=", ">=", "==", "∈", "∉", "∣", "≡", "≃", "⊆"), (70, False)),
    "::": (60, True),
    "++": (60, True),
    **dict.fromkeys(("+", "-", "||", "∪"), (50, False)),
    **dict.fromkeys(("*", "/", "&&", "%", "∩", "∘"), (40, False)),
    "^": (30, True),
}
UNKNOWN_LEVEL = (50, False)
PREFIX_LEVELS = {"~": 75, "-": 35, "√": 20, "↑": 20, "@": 5}


def read_tokens(text: str) -> list[Token]:
    """The tokens of a statement, without comments."""
    with contextlib.suppress(CoqSyntaxError):
        text = flatten(text)
    text = _LEAN_COMMENT.sub(" ", text)
    found: list[Token] = []
    end = -1
    for match in _TOKEN.finditer(text):
        kind = str(match.lastgroup)
        word = _SAME.get(match[0], match[0])
        adjacent = match.start() == end
        found.append(Token(word, kind, adjacent))
        end = match.end()
    return found
