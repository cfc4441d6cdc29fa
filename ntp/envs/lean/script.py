"""Canonical spelling of Lean tactics, and their parts between top-level semicolons."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from textwrap import dedent

from ntp.envs.lean.syntax import LeanSyntaxError, Token, tokens

_BY = re.compile(r"\s*(?::=\s*)?by\b(?!\s*:)")
# Lines that go on with the tactic above although they are not indented.
_CONTINUES = re.compile(r"<;>|[|)\]}⟩]|else\b|end\b")


def read_script(text: str) -> list[str]:
    """The tactics of a block, one text each: a line and those below it that are indented more or go on.

    Args:
        text: What follows `:= by`, or all of it.
    """
    begun = _BY.match(text)
    first, _, rest = text[begun.end() if begun else 0 :].partition("\n")
    # What stands behind `by` has no indentation to compare with.
    lines = [first.strip(), *dedent(rest).split("\n")] if begun else dedent(text).split("\n")
    blocks: list[list[str]] = []
    for line in lines:
        is_new = line[:1].strip() and not _CONTINUES.match(line)
        if is_new or not blocks:
            blocks.append([line])
        else:
            blocks[-1].append(line)
    found = ["\n".join(block).strip() for block in blocks]
    return [block for block in found if block]


class LeanScriptSyntax:
    """See `ScriptSyntax`. Texts of several lines keep their lines, which mean something in Lean."""

    def components(self, tactic: str) -> list[str]:
        """See `ScriptSyntax.components`. `<;>` separates nothing: its right side runs on every goal."""
        try:
            found = [token for token in tokens(tactic) if token.kind != "comment"]
        except LeanSyntaxError:
            return [tactic.strip()]
        if "\n" in tactic.strip() or not found:
            return [tactic.strip()]
        return [_spelled(part) for part in _flattened(found) if part] or [tactic.strip()]

    def is_structure(self, text: str) -> bool:  # noqa: ARG002
        """Never: bullets and what is below them are one tactic."""
        return False

    def sentences(self, script: str) -> list[str]:
        """See `ScriptSyntax.sentences`: the tactics of the block."""
        return read_script(script)

    def join(self, components: Sequence[str]) -> str:
        """See `ScriptSyntax.join`."""
        return "; ".join(components)


def _flattened(found: Sequence[Token]) -> list[Sequence[Token]]:
    """The parts between top-level semicolons, those of a part in parentheses included."""
    parts = _split(found)
    if len(parts) > 1:
        return [inner for part in parts for inner in _flattened(part)]
    (part,) = parts
    return _flattened(part[1:-1]) if _is_enclosed(part) else [part]


def _split(found: Sequence[Token]) -> list[Sequence[Token]]:
    parts: list[Sequence[Token]] = []
    begin = 0
    for index, token in enumerate(found):
        is_combinator = index > 0 and found[index - 1].text == "<" and found[index - 1].end == token.begin
        if token.text == ";" and token.depth == found[0].depth and not is_combinator:
            parts.append(found[begin:index])
            begin = index + 1
    return [*parts, found[begin:]]


def _is_enclosed(part: Sequence[Token]) -> bool:
    """Whether the first parenthesis closes at the end."""
    if len(part) < 3 or part[0].text != "(" or part[-1].text != ")":
        return False
    return all(token.depth > part[0].depth for token in part[1:-1])


def _spelled(part: Sequence[Token]) -> str:
    """The tokens with single blanks where the source has any."""
    text = part[0].text
    for before, token in pairwise(part):
        text += " " * (before.end < token.begin) + token.text
    return text
