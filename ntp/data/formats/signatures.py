"""The parts of a declaration before its body: what it is called, its arguments and its type."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ntp.data.coq.declarations import PREFIXES
from ntp.envs.coq import tokens as coq
from ntp.envs.coq.syntax import read_prefixes
from ntp.envs.lean import syntax as lean

_OPENING = {"(": 1, "[": 1, "{": 1, "{|": 1, ")": -1, "]": -1, "}": -1, "|}": -1}
# Implicit generalization, and universes.
_BEFORE_A_GROUP = ("`", "@")
# Universes, and what a recursion decreases in.
_NO_ARGUMENT = ("@{", "@ {", "{struct ", "{measure ", "{wf ", "{ struct ", "{ measure ", "{ wf ")
# Words of Lean before the keyword of a declaration, which is the first other word outside brackets.
_LEAN_MODIFIERS = frozenset(
    {
        "private", "protected", "noncomputable", "nonrec", "partial", "unsafe", "public", "meta", "local",
        "scoped",
    }
)  # fmt: skip
# Declarations whose statement is all of them, and what begins their bodies.
_LEAN_TYPES = frozenset({"structure", "class", "inductive", "coinductive"})
_LEAN_BODY = frozenset({":=", "where", "|", "extends", "deriving"})


@dataclass(frozen=True)
class Signature:
    """The parts of a declaration before its body.

    Attributes:
        text: All of it, with blanks collapsed and without comments.
        arguments: Its binders.
        body: What is after the colon; None where no type is written.
        quantifier: How the prover begins a type with binders.
    """

    text: str
    arguments: tuple[str, ...]
    body: str | None
    quantifier: str = "forall"

    @property
    def type(self) -> str | None:
        """The type with its binders; None where none is written."""
        if self.body is None:
            return None
        bound = " ".join(self.arguments)
        return f"{self.quantifier} {bound}, {self.body}" if bound else self.body


def read_signature(statement: str, prover: str) -> Signature:
    """Read a declaration up to its body.

    Args:
        statement: The text of the declaration, with or without its body.
        prover: `coq`, `lean` or `lean3`.
    """
    return _coq_signature(statement) if prover == "coq" else _lean_signature(statement)


def _coq_signature(statement: str) -> Signature:
    """Read `Lemma name (x : A) {B} : T := ...` up to `:=` or the full stop."""
    found = [token for token in coq.tokens(statement) if token.kind != "comment"]
    if found and found[-1].text == ".":
        found.pop()
    assign = _outside(found, ":=")
    head = found if assign is None else found[:assign]
    text = coq.flatten(statement[: head[-1].span.end]) if head else ""
    begin = read_prefixes(statement).end
    words = [token for token in head if token.span.begin >= begin]
    while words and words[0].text in PREFIXES:
        words.pop(0)
    colon = _outside(words, ":")
    body = None if colon is None else coq.flatten(statement[words[colon].span.end : head[-1].span.end])
    is_named = len(words) > 1 and words[1].kind == "name"
    binders = words[2 if is_named else 1 : colon]
    groups = _groups(statement, binders)
    return Signature(text, tuple(group for group in groups if not group.startswith(_NO_ARGUMENT)), body)


def _groups(statement: str, binders: Sequence[coq.Token]) -> Iterator[str]:
    """What stands outside brackets, and what is in brackets with a sign right before them."""
    depth, begin = 0, None
    for token in binders:
        if begin is None:
            begin = token.span.begin
        depth += _OPENING.get(token.text, 0)
        if depth == 0 and token.text not in _BEFORE_A_GROUP:
            yield coq.flatten(statement[begin : token.span.end])
            begin = None


def _outside(found: Sequence[coq.Token], text: str) -> int | None:
    depth = 0
    for index, token in enumerate(found):
        depth += _OPENING.get(token.text, 0)
        if depth == 0 and token.text == text:
            return index
    return None


def _lean_signature(statement: str) -> Signature:
    """Read `theorem name.{u} (x : A) {B} : T := ...` up to what begins its body."""
    try:
        found = [token for token in lean.tokens(statement) if token.kind != "comment"]
    except lean.LeanSyntaxError:
        return Signature(" ".join(statement.split()), (), None, "∀")
    keyword = next((i for i, t in enumerate(found) if t.kind == "word" and not _is_modifier(t)), 0)
    if found and found[keyword].text in _LEAN_TYPES:
        body = next((i for i, t in enumerate(found) if i > keyword and _begins_body(t)), len(found))
    else:
        end = lean.statement_end(statement, found[keyword + 1 :])
        body = next((i for i, t in enumerate(found) if t.begin >= end), len(found))
    head = found[keyword:body]
    colon = next((i for i, t in enumerate(head) if t.depth == 0 and t.text == ":"), None)
    named = next((i for i, t in enumerate(head) if i > 0 and t.text != "inductive"), len(head))
    named += named < len(head) and head[named].kind == "word"
    typed = None if colon is None else _spelled(head[colon + 1 :])
    binders = head[named:colon]
    return Signature(_spelled(found[:body]), tuple(_lean_groups(binders)), typed, "∀")


def _is_modifier(token: lean.Token) -> bool:
    return token.depth > 0 or token.text in _LEAN_MODIFIERS


def _begins_body(token: lean.Token) -> bool:
    return token.depth == 0 and token.text in _LEAN_BODY


def _lean_groups(binders: Sequence[lean.Token]) -> Iterator[str]:
    """The binders, each with what is in its brackets, without universes."""
    outer = [index for index, token in enumerate(binders) if token.depth == 0]
    skips = False
    for begin, end in pairwise([*outer, len(binders)]):
        token = binders[begin]
        if token.text in ")]}⟩":
            continue
        # A bracket reaches to the one that closes it, which is the next token outside brackets.
        closing = end + 1 if token.text in "([{⟨" else end
        if token.text == ".":
            skips = True
        elif skips:
            skips = False
        else:
            yield _spelled(binders[begin:closing])


def _spelled(found: Sequence[lean.Token]) -> str:
    """Tokens with a blank where the source has any."""
    text, end = "", None
    for token in found:
        text += (" " if end is not None and token.begin > end else "") + token.text
        end = token.end
    return text
