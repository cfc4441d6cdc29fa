"""Tokens of one Coq sentence, as fine as recognising declarations and names needs."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ntp.envs.coq.syntax import skip_blanks
from ntp.types import Span

_NAME = r"[^\W\d][\w']*"
_TOKEN = re.compile(
    r"(?P<comment>\(\*)"
    r'|(?P<string>"[^"]*")'
    rf"|(?P<name>{_NAME}(?:\.{_NAME})*)"
    r"|(?P<number>\d+)"
    r"|(?P<symbol>:=|\|\||\|-|\{\||\|\}|:>|=>|\.\.\.|[^\s\w])"
)
_STRING_OR_COMMENT = re.compile(r'"[^"]*"|\(\*')
_BLANKS = re.compile(r'("[^"]*")|\s+')


@dataclass(frozen=True, slots=True)
class Token:
    """A token: `kind` is name, string, number or symbol, `span` is into the text that was read."""

    kind: str
    text: str
    span: Span


def tokens(text: str, *, printed: bool = False) -> list[Token]:
    """Tokens of a text, comments and blanks left out. A qualified name is one token.

    Args:
        text: The text.
        printed: Whether it is what Coq printed: that holds no comments, but `(*` where a notation such as
            `*%R` follows a parenthesis.

    Raises:
        CoqSyntaxError: A comment is not closed.
    """
    found: list[Token] = []
    position = 0
    while match := _TOKEN.search(text, position):
        if match.lastgroup == "comment" and printed:
            found += (Token("symbol", text[i], Span(i, i + 1)) for i in range(*match.span()))
            position = match.end()
            continue
        if match.lastgroup == "comment":
            position = skip_blanks(text, match.start())
            continue
        assert match.lastgroup is not None  # every alternative is named
        found.append(Token(match.lastgroup, match[0], Span(*match.span())))
        position = match.end()
    return found


def flatten(text: str) -> str:
    """The text without comments, with every run of blanks outside strings as one space."""
    return _BLANKS.sub(lambda match: match[1] or " ", _without_comments(text)).strip()


def _without_comments(text: str) -> str:
    parts: list[str] = []
    begin = position = 0
    while match := _STRING_OR_COMMENT.search(text, position):
        position = match.end()
        if match[0] == "(*":
            position = skip_blanks(text, match.start())
            parts += [text[begin : match.start()], " "]
            begin = position
    return "".join((*parts, text[begin:]))
