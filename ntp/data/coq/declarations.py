"""What a Coq sentence declares, read from its text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ntp.envs.coq.syntax import read_prefixes
from ntp.envs.coq.tokens import Token, tokens
from ntp.types import Span

PREFIXES = {
    "Local",
    "Global",
    "Polymorphic",
    "Monomorphic",
    "Cumulative",
    "NonCumulative",
    "Private",
    "Program",
}
_LEMMAS = {"Lemma", "Theorem", "Corollary", "Proposition", "Remark", "Fact", "Property", "Example"}
_FUNCTIONS = {"Fixpoint", "CoFixpoint", "Function"}
_DEFINITIONS = {"Definition", "SubClass", "Instance", "Primitive"}
_REDEFINITIONS = {"Coercion", "Canonical"}
_INDUCTIVES = {"Inductive", "CoInductive", "Variant", "Record", "Structure", "Class"}
_ASSUMPTIONS = {"Axiom", "Axioms", "Parameter", "Parameters", "Conjecture", "Conjectures"}
_LOCALS = {"Variable", "Variables", "Hypothesis", "Hypotheses", "Let"}
_SCHEMES = {"Scheme", "Derive", "Functional", "Combined"}

_OPENING = {"(": 1, "[": 1, "{": 1, "{|": 1, ")": -1, "]": -1, "}": -1, "|}": -1}


@dataclass(frozen=True, slots=True)
class Declared:
    """A name that a sentence declares: `span` is into the sentence."""

    name: str
    kind: str
    span: Span


@dataclass(frozen=True, slots=True)
class Command:
    """A vernacular sentence without its attributes and prefixes.

    Attributes:
        keyword: First word, as `Lemma`; empty when the sentence starts with none.
        tokens: The tokens from the keyword on, the full stop excluded.
    """

    keyword: str
    tokens: tuple[Token, ...]

    @property
    def words(self) -> list[str]:
        """Texts of the tokens."""
        return [token.text for token in self.tokens]

    @property
    def states_lemma(self) -> bool:
        """Whether it always opens a proof."""
        return self.keyword in _LEMMAS or self.keyword == "Goal"


def read_command(text: str) -> Command:
    """Read a sentence as a vernacular command; an empty one if `Fail` or `Succeed` undoes it."""
    prefixes = read_prefixes(text)
    if prefixes.undone:
        return Command("", ())
    found = [token for token in tokens(text) if token.span.begin >= prefixes.end]
    if found and found[-1].text in {".", "..."}:
        found.pop()
    begin = 0
    while begin < len(found) and found[begin].text in PREFIXES:
        begin += 1
    rest = tuple(found[begin:])
    return Command(rest[0].text if rest and rest[0].kind == "name" else "", rest)


def declared(command: Command, in_section: bool) -> list[Declared]:
    """The names a command adds to its module, in order. What is local to a section adds none."""
    keyword, rest = command.keyword, command.tokens[1:]
    if not rest:
        return []
    if keyword in _LEMMAS or keyword in _FUNCTIONS:
        return [d for part in _split(rest, "with") for d in _named(part, keyword)]
    if keyword in _DEFINITIONS:
        return list(_named(rest, keyword))
    if keyword in _REDEFINITIONS:
        body = rest[1:] if rest[0].text == "Structure" else rest
        return list(_named(body, keyword)) if _index(rest, ":=") else []
    if keyword in _INDUCTIVES:
        return [d for part in _split(rest, "with") for d in _inductive(part, keyword)]
    if keyword in _ASSUMPTIONS:
        return list(_assumptions(rest, keyword))
    if keyword in _LOCALS and not in_section:
        return list(_named(rest, keyword) if keyword == "Let" else _assumptions(rest, keyword))
    return list(_others(command))


def _others(command: Command) -> Iterator[Declared]:
    keyword, rest, words = command.keyword, command.tokens[1:], command.words
    if keyword == "Declare" and words[1] == "Instance":
        yield from _named(rest[1:], "Instance")
    elif keyword == "Notation" and rest[0].kind == "name":
        yield from _named(rest, keyword)
    elif keyword == "Add" and {"Morphism", "Relation", "Setoid"} & set(words[1:3]) and "as" in words:
        after = len(words) - words[::-1].index("as")
        yield from _named(command.tokens[after:], f"Add {'Morphism' if 'Morphism' in words else 'Relation'}")
    elif keyword in _SCHEMES:
        yield from _scheme(command)


def _scheme(command: Command) -> Iterator[Declared]:
    rest, words = command.tokens[1:], command.words
    if command.keyword == "Scheme":
        for part in _split(rest, "with"):
            if _index(part, ":="):
                yield from _named(part, "Scheme")
    elif command.keyword == "Derive":
        if "Inversion" in words[1]:
            yield from _named(rest[1:], "Derive")
        elif "SuchThat" in words:
            yield from _named(rest, "Derive")
            after = max((i for i, word in enumerate(words) if word in {"As", "as"}), default=len(words))
            yield from _named(command.tokens[after + 1 :], "Derive")
    elif words[1] == "Scheme":
        yield from _named(rest[1:], "Scheme")


def _named(part: Sequence[Token], kind: str) -> Iterator[Declared]:
    part = part[1:] if part and part[0].text == ">" else part
    if part and part[0].kind == "name":
        yield Declared(part[0].text, kind, _cover(part))


def _assumptions(rest: Sequence[Token], kind: str) -> Iterator[Declared]:
    if rest[0].text == "Inline":
        rest = rest[_group_end(rest, 1) if len(rest) > 1 and rest[1].text == "(" else 1 :]
    groups: list[Sequence[Token]] = []
    while rest and rest[0].text == "(":
        end = _group_end(rest, 0)
        groups.append(rest[1 : end - 1])
        rest = rest[end:]
    for group in groups or [rest]:
        for token in group:
            if token.kind != "name":
                break
            yield Declared(token.text, kind, _cover(group))


def _inductive(part: Sequence[Token], kind: str) -> Iterator[Declared]:
    yield from _named(part, kind)
    part = part[1:] if part and part[0].text == ">" else part
    if not part or part[0].kind != "name":
        return
    name = part[0].text
    assign = _index(part, ":=")
    body = part[assign + 1 :] if assign else part[:0]
    where = _index(body, "where")
    body = body[:where] if where else body
    brace = next((i for i, token in enumerate(body[:2]) if token.text == "{"), None)
    if brace is not None:
        maker = body[0].text if brace else f"Build_{name}"
        yield Declared(maker, "Constructor", _cover(part))
        yield from _fields(body[brace + 1 : _group_end(body, brace) - 1])
    elif kind == "Class":
        yield from (Declared(d.name, "Field", d.span) for d in _named(body, kind))
        if not body:
            yield Declared(f"Build_{name}", "Constructor", _cover(part))
    elif kind in {"Record", "Structure"}:
        yield Declared(f"Build_{name}", "Constructor", _cover(part))
    else:
        for constructor in _split(body, "|"):
            yield from _named(constructor, "Constructor")


def _fields(body: Sequence[Token]) -> Iterator[Declared]:
    for field in _split(body, ";"):
        begin = _group_end(field, 1) if len(field) > 1 and field[0].text == "#" else 0
        if field[begin:] and field[begin].text != "_":
            yield from _named(field[begin:], "Field")


def _split(part: Sequence[Token], separator: str) -> list[Sequence[Token]]:
    """Cut at a separator outside brackets and `match`."""
    pieces: list[Sequence[Token]] = []
    begin = 0
    for index in _outside(part):
        if part[index].text == separator:
            pieces.append(part[begin:index])
            begin = index + 1
    return [*pieces, part[begin:]]


def _index(part: Sequence[Token], text: str) -> int | None:
    """Index (never 0 where it is used) of a token outside brackets and `match`."""
    return next((i for i in _outside(part) if part[i].text == text), None)


def _outside(part: Sequence[Token]) -> Iterator[int]:
    depth, matches = 0, list[bool]()
    for index, token in enumerate(part):
        depth += _OPENING.get(token.text, 0)
        if token.text == "match":
            matches.append(True)
        elif token.text == "with" and matches and matches[-1]:
            matches[-1] = False
        elif token.text == "end" and matches:
            matches.pop()
        elif depth == 0 and not matches:
            yield index


def _group_end(part: Sequence[Token], begin: int) -> int:
    """Index after the bracket that closes the one at `begin`."""
    depth = 0
    for index in range(begin, len(part)):
        depth += _OPENING.get(part[index].text, 0)
        if depth == 0:
            return index + 1
    return len(part)


def _cover(part: Sequence[Token]) -> Span:
    return Span(part[0].span.begin, part[-1].span.end)
