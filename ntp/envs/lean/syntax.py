"""The part of Lean's surface syntax that is needed to cut texts safely: tokens, statements, headers.

Any file can extend Lean's grammar, so it cannot be parsed without Lean. But no file can change where strings,
comments and brackets begin and end, and this module relies on nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_BRACKETS = {"(": ")", "[": "]", "{": "}", "⟨": "⟩"}
_CLOSING = frozenset(_BRACKETS.values())
_TOKEN = re.compile(
    r"""
    (?P<blank>\s+)
  | (?P<comment>--[^\n]*|/-)
  | (?P<string>"(?:[^"\\]|\\.)*")
  | (?P<char>'(?:\\.|[^\\'\n])')
  | (?P<word>(?:[^\W\d]|«[^«»\n]*»)(?:[\w'!?]|\.(?=[^\W\d]|«)|«[^«»\n]*»)*)
  | (?P<number>\d+)
  | (?P<symbol>:=|[∑∏∘⨆⨅¹]'|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/-|-/")
_DECLARATION = frozenset({"theorem", "lemma", "example"})
# What may stand between the previous command and the word `theorem`: commands with `in`, documentation,
# attributes, modifiers and comments.
_PREFIX = re.compile(
    r"""
    (?: ^(?:open|set_option|omit|include|variable|attribute)\b[^\n]*\bin\s*\n?\s*
      | /--(?:(?!-/).)*-/\s*
      | @\[(?:[^\[\]]|\[(?:[^\[\]]|\[[^\[\]]*\])*\])*\]\s*
      | \b(?:private|protected|noncomputable|nonrec|partial|unsafe|public|meta|local|scoped)\s+
      | ^--[^\n]*\n\s*
    )+\Z
    """,
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)
_IMPORT = re.compile(r"(?:public\s+|meta\s+|private\s+)*import\s+(?:all\s+|runtime\s+)?[\w.'«»]+")


class LeanSyntaxError(ValueError):
    """A text whose strings, comments or brackets do not match, or that declares no theorem."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token.

    Attributes:
        kind: comment, string, char, word (identifiers and keywords, with their dots), number or symbol.
        text: Text of the token as written.
        begin: Offset of its first character.
        depth: Number of open brackets around it.
    """

    kind: str
    text: str
    begin: int
    depth: int = 0

    @property
    def end(self) -> int:
        """Offset after its last character."""
        return self.begin + len(self.text)


def tokens(text: str) -> Iterator[Token]:
    """The tokens of a text in order, without blanks.

    Raises:
        LeanSyntaxError: A string, comment or bracket is not closed, or closed without being open.
    """
    expected: list[str] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        assert match is not None and match.lastgroup is not None  # any character is a symbol
        kind, found = match.lastgroup, match[0]
        if found == "/-":
            found = text[position : _comment_end(text, position)]
        position += len(found)
        if kind == "blank":
            continue
        if found == '"':
            raise LeanSyntaxError("a string is not closed")
        if found in _CLOSING and (not expected or expected.pop() != found):
            raise LeanSyntaxError(f"{found!r} closes nothing")
        yield Token(kind, found, position - len(found), len(expected))
        if found in _BRACKETS:
            expected.append(_BRACKETS[found])
    if expected:
        raise LeanSyntaxError(f"{expected[-1]!r} is missing")


@dataclass(frozen=True, slots=True)
class Statement:
    """The statement of a theorem, cut at its name.

    Attributes:
        prefix: Commands that apply to it, as `open Nat in`; not its attributes and modifiers, which may
            depend on the name and do not change the statement.
        namespace: The part of the name up to and including the last dot.
        signature: Universes, binders and type, without `:=`.
    """

    prefix: str
    namespace: str
    signature: str

    def named(self, name: str) -> str:
        """The statement with another name after the namespace."""
        return f"{self.prefix}theorem {self.namespace}{name}{self.signature}"


def parse_statement(text: str) -> Statement:
    """Cut a theorem's statement, or a whole declaration, at its name and before its proof.

    Raises:
        LeanSyntaxError: The text declares no theorem.
    """
    found = [token for token in tokens(text) if token.kind != "comment"]
    index = next((i for i, t in enumerate(found) if t.depth == 0 and t.text in _DECLARATION), None)
    if index is None or index + 1 == len(found):
        raise LeanSyntaxError("no theorem, lemma or example is declared")
    keyword, following = found[index : index + 2]
    end = statement_end(text, found[index + 1 :])
    under = [token.end for token in found[:index] if token.depth == 0 and token.text == "in"]
    prefix = f"{text[: under[-1]].strip()}\n" if under else ""
    if keyword.text == "example":
        return Statement(prefix, "", f" {text[keyword.end : end].strip()}")
    if following.kind != "word":
        raise LeanSyntaxError(f"{keyword.text} has no name")
    namespace, dot, _ = following.text.rpartition(".")
    return Statement(prefix, namespace + dot, text[following.end : end].rstrip())


def split_imports(header: str) -> tuple[str, str]:
    """The imports of a header, one per line, and the rest of it.

    A header that does not begin with imports (but with `prelude` or `module`, say) is not split.
    """
    position, imports = 0, []
    while match := _IMPORT.match(header, position := _skip_blanks(header, position)):
        imports.append(match[0])
        position = match.end()
    return "\n".join(imports), header[position:].strip()


def last_theorem(text: str) -> int | None:
    """Offset of the last word `theorem`, `lemma` or `example` outside brackets; None without any.

    Raises:
        LeanSyntaxError: A string, comment or bracket is not closed.
    """
    begins = [t.begin for t in tokens(text) if t.kind == "word" and t.depth == 0 and t.text in _DECLARATION]
    return begins[-1] if begins else None


def split_prefix(header: str) -> tuple[str, str]:
    """A header without what at its end belongs to the next declaration, and that.

    Commands with `in`, documentation, attributes and modifiers.
    """
    match = _PREFIX.search(header)
    return (header[: match.start()], match[0].strip()) if match else (header, "")


def statement_end(text: str, found: Sequence[Token]) -> int:
    """Where the proof or value of a declaration begins.

    At a `:=` of no `let`, at `where`, or at a line that begins with `|`; without any, the end of the text.

    Args:
        text: The text that the tokens are of.
        found: The tokens from the declaration's name on.
    """
    num_lets, in_type = 0, False
    for token in found:
        if token.depth:
            continue
        if token.text == ":":
            in_type = True
        elif token.text in ("let", "have"):
            num_lets += 1
        elif token.text == ":=":
            if num_lets == 0:
                return token.begin
            num_lets -= 1
        elif in_type and (token.text == "where" or (token.text == "|" and _begins_line(text, token.begin))):
            return token.begin
    return len(text)


def _skip_blanks(text: str, position: int) -> int:
    while True:
        match = re.compile(r"\s*(?:--[^\n]*\n?)*").match(text, position)
        assert match is not None
        position = match.end()
        if not text.startswith("/-", position) or text.startswith("/--", position):
            return position
        try:
            position = _comment_end(text, position)
        except LeanSyntaxError:
            return position


def _comment_end(text: str, begin: int) -> int:
    depth = 0
    for edge in _COMMENT_EDGE.finditer(text, begin):
        depth += 1 if edge[0] == "/-" else -1
        if depth == 0:
            return edge.end()
    raise LeanSyntaxError("a comment is not closed")


def _begins_line(text: str, offset: int) -> bool:
    return not text[text.rfind("\n", 0, offset) + 1 : offset].strip()
