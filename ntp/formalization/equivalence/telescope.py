"""A Coq statement as Coq prints it, cut into binders, hypotheses and a conclusion."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ntp.envs.coq.tokens import Token, tokens

_OPENING = {"(", "[", "{", "{|", "match"}
_CLOSING = {")", "]", "}", "|}", "end"}
# What reaches as far to the right as it can: after it, nothing outside brackets ends.
_GREEDY = {"forall", "exists", "exists2", "fun", "let", "if", "fix", "cofix"}
# Connectives by how loosely they bind; an equation or an inequality binds tighter.
_LOOSE = {"->", "<->", "/\\", "\\/"}
_CHARACTERS = {"-": ("->",), "<": ("<->", "<>", "<="), "/": ("/\\",), "\\": ("\\/",), ">": (">=",)}


@dataclass(frozen=True, slots=True)
class Item:
    """A binder (`name : text`) or, with an empty name, a hypothesis."""

    name: str
    text: str

    def mentions(self, name: str) -> bool:
        """Whether the type or the hypothesis contains a name."""
        return name in names(self.text)


@dataclass(frozen=True, slots=True)
class Telescope:
    """A statement: items from left to right, then its conclusion."""

    items: tuple[Item, ...]
    conclusion: str

    @property
    def hypotheses(self) -> list[int]:
        """Indices of the items that are hypotheses."""
        return [index for index, item in enumerate(self.items) if not item.name]

    def __str__(self) -> str:
        """As Coq prints it: binders of one type together, in parentheses if there are several types."""
        parts: list[str] = []
        for is_binder, run in itertools.groupby(self.items, lambda item: bool(item.name)):
            if not is_binder:
                parts += [f"{item.text} ->" for item in run]
                continue
            groups = [
                f"{' '.join(item.name for item in group)}{f' : {text}' if text else ''}"
                for text, group in itertools.groupby(run, lambda item: item.text)
            ]
            binders = groups[0] if len(groups) == 1 else " ".join(f"({group})" for group in groups)
            parts.append(f"forall {binders},")
        return " ".join([*parts, self.conclusion])


def names(text: str) -> set[str]:
    """Every name in a printed text."""
    return {token.text for token in tokens(text, printed=True) if token.kind == "name"}


def symbols(text: str) -> list[Token]:
    """The tokens of a printed text; a symbol of several characters (an arrow, say) is one token."""
    found: list[Token] = []
    for token in tokens(text, printed=True):
        last = found[-1] if found else None
        joined = f"{last.text}{token.text}" if last and last.span.end == token.span.begin else ""
        if last and token.kind == "symbol" and last.kind == "symbol" and _is_symbol(joined):
            found[-1] = Token("symbol", joined, type(token.span)(last.span.begin, token.span.end))
        else:
            found.append(token)
    return found


def outermost(text: str) -> Iterator[Token]:
    """The symbols outside brackets, up to the first binder that reaches to the end, which is the last."""
    depth = 0
    for token in symbols(text):
        depth -= token.text in _CLOSING
        if depth == 0:
            yield token
            if token.text in _GREEDY:
                return
        depth += token.text in _OPENING


def parse(text: str) -> Telescope | None:
    """The parts of a printed statement; None if it has binders that are no names (patterns)."""
    items: list[Item] = []
    rest = text.strip()
    while True:
        if rest.startswith("forall "):
            cut = _binders(rest)
            if cut is None:
                return None
            binders, rest = cut
            items += binders
            continue
        arrow = next((t for t in outermost(rest) if t.text == "->"), None)
        if arrow is None:
            return Telescope(tuple(items), rest)
        items.append(Item("", rest[: arrow.span.begin].strip()))
        rest = rest[arrow.span.end :].strip()


def relation(text: str, wanted: Sequence[str]) -> Token | None:
    """The relation of a proposition, if it is one of these: its loosest connective, and the only one such."""
    found = list(outermost(text))
    loosest = ("<->",) if any(token.text == "<->" for token in found) else tuple(wanted)
    refused = {"->"} if loosest == ("<->",) else {*_LOOSE, *_GREEDY, "~", ":>"}
    relations = [token for token in found if token.text in loosest]
    is_refused = any(token.text in refused for token in found)
    return relations[0] if len(relations) == 1 and relations[0].text in wanted and not is_refused else None


def _is_symbol(text: str) -> bool:
    return bool(text) and any(whole.startswith(text) for wholes in _CHARACTERS.values() for whole in wholes)


def _binders(text: str) -> tuple[list[Item], str] | None:
    """The binders behind `forall`, and what they bind."""
    depth, comma = 0, None
    for token in symbols(text):
        depth += (token.text in _OPENING) - (token.text in _CLOSING)
        if depth == 0 and token.text == ",":
            comma = token
            break
    if comma is None:
        return None
    inner = text[len("forall ") : comma.span.begin].strip()
    items: list[Item] = []
    for group in _groups(inner):
        given, colon, kind = group.partition(" : ")
        for name in given.split():
            if not name.isidentifier() and not name.replace("'", "_").isidentifier():
                return None
            items.append(Item(name, kind.strip() if colon else ""))
    return items, text[comma.span.end :].strip()


def _groups(text: str) -> list[str]:
    """`x y : T`, or the insides of `(x : T) (y : U)`."""
    if not text.startswith("("):
        return [text]
    groups, depth, begin = [], 0, 0
    for token in symbols(text):
        if token.text in _OPENING:
            if depth == 0:
                begin = token.span.end
            depth += 1
        elif token.text in _CLOSING:
            depth -= 1
            if depth == 0:
                groups.append(text[begin : token.span.begin])
    return groups
