"""Statements as trees: what exact match and tree edit distance compare.

No file can be parsed without the prover, because any file may add notations. So this reads what all of them
share, for Coq and Lean alike: brackets, binders, application, and infix operators with the usual precedence;
an operator that it does not know binds like `+`. Names bound by quantifiers, functions, `let`, set builders
and a theorem's own binders become numbers, so that trees of statements that differ in them only are equal.
Redundant parentheses, `forall x y, P` or `forall x, forall y, P`, and binders before or after a theorem's
colon make no difference either; the theorem's name is no part of its tree. Names in the patterns of a
`match` stay as they are.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ntp.formalization.term_tokens import LEVELS, PREFIX_LEVELS, UNKNOWN_LEVEL, Token, read_tokens


@dataclass(frozen=True, slots=True)
class Node:
    """A node of a statement's tree: a label and its children in order.

    Attributes:
        label: An operator, a binder, a name, a number, or `#0`, `#1`, ... for bound names, the outermost 0.
        children: The last one of a binder is its body.
        binds: While a tree is read: the mark of the name that it binds in its last child.
    """

    label: str
    children: tuple[Node, ...] = ()
    binds: str = ""

    @property
    def size(self) -> int:
        """Number of nodes in the tree below and with this one."""
        return 1 + sum(child.size for child in self.children)


_BINDERS = {"forall", "exists", "exists!", "fun", "∑", "∏", "Σ", "Π", "⋃", "⋂", "⨆", "⨅"}
_CLOSING = {"(": ")", "[": "]", "{": "}", "⟨": "⟩", "{|": "|}", "match": "end"}
_CLOSERS = frozenset(_CLOSING.values())
_LOOSEST = 200
_OPERAND = {"name", "number", "string"}
_KEYWORDS = {"with", "then", "else", "in", "return", "as", "from", "end"}
# Nesting beyond this is read as a flat list: such a text is no statement, and Python's stack is finite.
_MAX_DEPTH = 150


def parse_statement(text: str) -> Node:
    """The tree of a declaration, as `Theorem name binders : type.` or `theorem name binders : type`.

    Any text has a tree; one that is no statement has an odd one.
    """
    found = read_tokens(text)
    if found and found[-1].text == ".":
        found.pop()
    # The keyword and the name.
    body = found[2:] if len(found) > 1 and all(token.kind == "name" for token in found[:2]) else found
    try:
        tree = _Parser(body, itertools.count()).statement()
        if not _is_too_deep(tree):
            return _numbered(_simplified(tree), {}, 0)
    except (_TooDeepError, RecursionError):
        pass
    return Node("flat", tuple(Node(token.text) for token in body))


class _TooDeepError(Exception):
    pass


@dataclass(frozen=True, slots=True)
class _Bound:
    """A bound name: its mark, empty for none, and its type or what else is said of it."""

    mark: str
    kind: Node


@dataclass(slots=True)
class _Parser:
    tokens: Sequence[Token]
    marks: Iterator[int]
    place: int = 0
    depth: int = 0
    scope: dict[str, str] = field(default_factory=dict)

    def statement(self) -> Node:
        """A theorem's binders as quantifiers, and its type."""
        colon = self._find({":"})
        if colon is None:
            return self._rest(self._expression(_LOOSEST))
        end, self.place = colon, 0
        makers = self._binders(end)
        self.place = end + 1
        return _nested("forall", makers, self._rest(self._expression(_LOOSEST)))

    def _rest(self, first: Node) -> Node:
        """What was read, and whatever is left over as further children."""
        found = [first]
        while self.place < len(self.tokens):
            self.place += 1 if self._text() in _CLOSERS or self._text() in _KEYWORDS else 0
            if self.place < len(self.tokens):
                found.append(self._expression(_LOOSEST))
        return first if len(found) == 1 else Node("sequence", tuple(found))

    def _expression(self, level: int) -> Node:
        """An expression of operators that bind at least as tightly as `level`."""
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise _TooDeepError
        left = self._operand()
        while True:
            token = self._peek()
            if token is None or token.text in _CLOSERS or not self._is_operator(token):
                break
            own, to_right = LEVELS.get(token.text, UNKNOWN_LEVEL)
            if own > level:
                break
            self.place += 1
            if self._peek() is None or self._text() in _CLOSERS:
                left = Node(token.text, (left,))
                break
            right = self._expression(own if to_right else own - 1)
            left = Node(token.text, (left, right))
        self.depth -= 1
        return left

    def _operand(self) -> Node:
        """A prefix operator with its operand, or an application."""
        token = self._peek()
        if token is None:
            return Node("")
        if token.text in PREFIX_LEVELS and token.kind == "symbol":
            self.place += 1
            return Node(f"prefix {token.text}", (self._expression(PREFIX_LEVELS[token.text]),))
        parts = [self._atom()]
        while (token := self._peek()) is not None and self._starts_atom(token):
            parts.append(self._atom())
        return parts[0] if len(parts) == 1 else Node("apply", tuple(parts))

    def _atom(self) -> Node:
        token = self.tokens[self.place]
        if token.text in _BINDERS:
            return self._binder(token.text, {",", "=>"})
        if token.text == "let":
            return self._let()
        self.place += 1
        if token.text in _CLOSING:
            return self._scoped(self._bracket(token.text))
        head, dot, field_ = token.text.partition(".")
        return self._scoped(Node(self.scope.get(head, head) + dot + field_))

    def _scoped(self, node: Node) -> Node:
        """A node with the scope that is put after it, as in `0%Z`."""
        token = self._peek()
        while token is not None and token.text == "%" and token.adjacent and self._kind(1) == "name":
            node = Node(f"%{self.tokens[self.place + 1].text}", (node,))
            self.place += 2
            token = self._peek()
        return node

    def _bracket(self, opening: str) -> Node:
        """What is in brackets, after the opening one. Parentheses only group."""
        closing = _CLOSING[opening]
        if opening == "{" and self._kind(0) == "name" and self._find({"|", "//"}) is not None:
            self.place -= 1
            inner, opening = self._binder("{|}", {"|", "//"}), "("
        elif self._peek() is None or self._text() == closing:
            inner = None
        else:
            inner = self._expression(_LOOSEST)
        parts = [] if inner is None else [inner]
        while self._peek() is not None and self._text() != closing:
            if self._text() in _CLOSERS:
                break
            parts.append(self._expression(_LOOSEST))
        if self._peek() is not None and self._text() == closing:
            self.place += 1
        if opening == "(" and len(parts) == 1:
            return parts[0]
        return Node(opening + closing, tuple(parts))

    def _binder(self, label: str, separators: set[str]) -> Node:
        """`forall x (y : T), body` and its like, one node for each name, at the binder's own token."""
        outer = dict(self.scope)
        self.place += 1
        if self._peek() is not None and self._text() == "!":
            label, self.place = label + "!", self.place + 1
        end = self._find(separators)
        if end is None:
            return Node(label)
        makers = self._binders(end)
        self.place = end + 1
        body = self._expression(_LOOSEST)
        self.scope = outer
        return _nested(label, makers, body)

    def _binders(self, end: int) -> list[_Bound]:
        """For each name bound before `end`, its type and what else is said of it; the names are in scope."""
        found: list[_Bound] = []
        while self.place < end:
            token = self.tokens[self.place]
            if token.text in ("(", "{", "["):
                close = self._close(self.place, end)
                self.place += 1
                if token.text == "[" and not any(t.text == ":" for t in self.tokens[self.place : close]):
                    found.append(_Bound("", self._until(close)))  # an instance without a name
                else:
                    found += self._group(close)
                self.place = close + 1
            elif token.text in ("`", "'"):
                self.place += 1
            else:
                bracket = next((i for i in range(self.place, end) if self.tokens[i].text in ("(", "{")), end)
                typed = next((i for i in range(self.place, end) if self.tokens[i].kind != "name"), end)
                found += self._group(end if typed < bracket else bracket)
        return found

    def _group(self, end: int) -> list[_Bound]:
        """Names with one type, up to `end`: `x y : T`, `x y`, `x ∈ S`, `x > 0` or a type alone."""
        begin = self.place
        while self.place < end and self.tokens[self.place].kind == "name" and self._text() not in LEVELS:
            self.place += 1
        names = [token.text for token in self.tokens[begin : self.place]]
        if self.place == end:
            return self._bind(names, Node("_"))
        if not names:  # an instance without a name, or a pattern
            return [_Bound("", self._until(end))]
        if self._text() == ":":
            self.place += 1
            return self._bind(names, self._until(end))
        relation = self._text()
        if relation not in LEVELS or (len(names) > 1 and relation not in ("∈", "in")):
            self.place = begin
            return [_Bound("", self._until(end))]
        self.place += 1
        return self._bind(names, Node(relation, (self._until(end),)))

    def _let(self) -> Node:
        """`let x := value in body`, or the same with a line end or `;` for `in`."""
        self.place += 1
        outer = dict(self.scope)
        assign, end = self._find({":="}), self._find({"in", ";"})
        if assign is None or end is None or assign > end or self._kind(0) != "name":
            return Node("let")
        names = [self.tokens[self.place].text]
        self.place = assign + 1
        value = self._until(end)
        self.place = end + 1
        (bound,) = self._bind(names, value)
        body = self._expression(_LOOSEST)
        self.scope = outer
        return Node("let", (value, body), bound.mark)

    def _until(self, end: int) -> Node:
        """Everything up to a place as one expression, read by itself."""
        inner = _Parser(self.tokens[self.place : end], self.marks, 0, self.depth, dict(self.scope))
        self.place = end
        return inner._rest(inner._expression(_LOOSEST))

    def _bind(self, names: Sequence[str], kind: Node) -> list[_Bound]:
        found = [_Bound(f"#{next(self.marks)}", kind) for _ in names]
        self.scope |= {name: bound.mark for name, bound in zip(names, found, strict=True)}
        return found

    def _find(self, texts: set[str]) -> int | None:
        """The next token with one of these texts outside brackets and inner binders' bodies."""
        level = 0
        for i in range(self.place, len(self.tokens)):
            text = self.tokens[i].text
            if level == 0 and text in texts:
                return i
            level += (text in _CLOSING) - (text in _CLOSERS)
            if level < 0:
                return None
        return None

    def _close(self, begin: int, end: int) -> int:
        """The bracket that closes the one at `begin`; `end` without."""
        level = 0
        for i in range(begin, end):
            text = self.tokens[i].text
            level += (text in _CLOSING) - (text in _CLOSERS)
            if level == 0:
                return i
        return end

    def _is_operator(self, token: Token) -> bool:
        return token.text in LEVELS or (token.kind == "symbol" and token.text not in _CLOSING)

    def _starts_atom(self, token: Token) -> bool:
        if token.text in _CLOSING or token.text in _BINDERS or token.text == "let":
            return True
        return token.kind in _OPERAND and token.text not in _KEYWORDS

    def _peek(self) -> Token | None:
        return self.tokens[self.place] if self.place < len(self.tokens) else None

    def _text(self) -> str:
        return self.tokens[self.place].text

    def _kind(self, offset: int) -> str:
        place = self.place + offset
        return self.tokens[place].kind if place < len(self.tokens) else ""


def _nested(label: str, makers: Sequence[_Bound], body: Node) -> Node:
    for bound in reversed(makers):
        body = Node(label, (bound.kind, body), bound.mark)
    return body


def _is_too_deep(tree: Node) -> bool:
    """Whether a tree is deeper than functions that call themselves can follow."""
    level = [tree]
    for _ in range(_MAX_DEPTH):
        level = [child for node in level for child in node.children]
        if not level:
            return False
    return True


def _simplified(node: Node) -> Node:
    """The tree with an arrow for every quantifier over something that is not mentioned again."""
    children = tuple(_simplified(child) for child in node.children)
    is_typed = node.label == "forall" and len(children) == 2 and children[0].label != "_"
    if is_typed and not _mentions(children[-1], node.binds):
        return Node("->", children)
    return Node(node.label, children, node.binds)


def _mentions(node: Node, mark: str) -> bool:
    if not mark:
        return False
    return node.label.partition(".")[0] == mark or any(_mentions(child, mark) for child in node.children)


def _numbered(node: Node, names: Mapping[str, str], num_bound: int) -> Node:
    """The tree with bound names numbered from the outside, so that equal terms are equal trees."""
    head, dot, rest = node.label.partition(".")
    label = names.get(head, head) + dot + rest
    if not node.binds:
        return Node(label, tuple(_numbered(child, names, num_bound) for child in node.children))
    *said, body = node.children
    inner = {**names, node.binds: f"#{num_bound}"}
    return Node(
        label,
        (*(_numbered(child, names, num_bound) for child in said), _numbered(body, inner, num_bound + 1)),
    )
