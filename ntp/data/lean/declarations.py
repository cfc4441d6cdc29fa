"""Finds the declarations in a Lean file by its tokens: names, places, statements, and where proofs begin.

A file's own notation cannot be known without Lean, so nothing is parsed: keywords outside brackets, strings
and comments begin commands, and a command reaches to the next one.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ntp.envs.lean.syntax import Token, statement_end, tokens
from ntp.types import Span

THEOREMS = frozenset({"theorem", "lemma"})
_WITH_VALUE = THEOREMS | {"def", "abbrev", "instance"}
_DECLARES = _WITH_VALUE | {"structure", "class", "inductive", "coinductive", "axiom", "opaque"}
_SCOPES = frozenset({"namespace", "section", "end", "mutual"})
# Keywords: no name and no term contains them, so they begin a command wherever they stand.
_KEYWORDS = (_DECLARES - {"lemma"}) | _SCOPES | {"example"}
_MODIFIERS = frozenset(
    {
        "private", "protected", "noncomputable", "nonrec", "partial", "unsafe", "public", "meta", "local",
        "scoped",
    }
)  # fmt: skip
_WITH_IN = frozenset({"open", "set_option", "omit", "include", "variable", "attribute"})
# Words that begin a command if they begin a line: some of them are words of terms or tactics too.
_COMMANDS = """universe notation notation3 infix infixl infixr prefix postfix macro macro_rules syntax
    declare_syntax_cat elab elab_rules initialize builtin_initialize export import deriving alias run_cmd
    run_meta run_elab add_decl_doc library_note assert_not_exists assert_exists assert_not_imported
    compile_inductive suppress_compilation unsuppress_compilation register_simp_attr register_option simproc
    dsimproc simproc_decl seal unseal irreducible_def proof_wanted recall unif_hint binder_predicate
    initialize_simps_projections tactic_extension register_label_attr restate_axiom extend_docs
    mk_iff_of_inductive_prop"""
_OTHERS = _MODIFIERS | _WITH_IN | frozenset(_COMMANDS.split())
_HEADER = frozenset({"module", "prelude", "public", "meta", "private"})
_IMPORT_MODIFIERS = frozenset({"all", "runtime"})
_ROOT = "_root_."


@dataclass(frozen=True, slots=True)
class Declaration:
    """A declaration of a file. Spans are offsets.

    Attributes:
        full_name: Its name with the namespaces around it.
        kind: Its keyword.
        span: From its first attribute or modifier to its end, without blanks and comments after it.
        proof: Its proof or value, from `:=`, `where` or the first `|` on; empty at its end without one, and
            for what is stated as a whole (structures, inductive types, axioms).
    """

    full_name: str
    kind: str
    span: Span
    proof: Span

    def statement(self, text: str) -> str:
        """What stands before the proof in the file's text."""
        return text[self.span.begin : self.proof.begin].rstrip()


def find_declarations(text: str) -> list[Declaration]:
    """The declarations with a name in a file, in order.

    Raises:
        LeanSyntaxError: A string, comment or bracket is not closed, or closed without being open.
    """
    return list(_Scanner(text).declarations())


def find_imports(text: str) -> tuple[str, ...]:
    """Names of the modules that a file imports, in order.

    Raises:
        LeanSyntaxError: A comment before or between them is not closed.
    """
    names, is_import = [], False
    for token in tokens(text):
        if token.kind == "comment" or (is_import and token.text in _IMPORT_MODIFIERS):
            continue
        if is_import:
            names.append(token.text.replace("«", "").replace("»", ""))
            is_import = False
        elif token.text == "import":
            is_import = True
        elif token.text not in _HEADER:
            break
    return tuple(dict.fromkeys(names))


class _Scanner:
    """The tokens of a file, and the commands that they make up."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._all = list(tokens(text))
        # Index of the bracket that each closing bracket closes.
        self._opening: dict[int, int] = {}
        waiting: list[int] = []
        for index, token in enumerate(self._all):
            if token.kind == "symbol" and token.text in "([{⟨":
                waiting.append(index)
            elif token.kind == "symbol" and token.text in ")]}⟩":
                self._opening[index] = waiting.pop()

    def declarations(self) -> Iterator[Declaration]:
        """See `find_declarations`."""
        keywords = [index for index in range(len(self._all)) if self._is_keyword(index)]
        begins = {index: self._prefix(index) for index in keywords}
        bounds = sorted({b for _, b in begins.values()} | set(self._other_commands()) | {len(self._all)})
        scopes: list[tuple[str, str]] = []
        for index in keywords:
            end = bounds[bisect.bisect_right(bounds, index)]
            body = [token for token in self._all[index + 1 : end] if token.kind != "comment"]
            keyword = self._all[index]
            if keyword.text in _SCOPES:
                _follow(scopes, keyword.text, self._own_name(keyword, body))
            elif keyword.text in _DECLARES and (found := _named(body)) is not None:
                begin = self._all[begins[index][0]].begin
                yield self._declaration(scopes, keyword, body, found, begin)

    def _declaration(
        self, scopes: Sequence[tuple[str, str]], keyword: Token, body: list[Token], name: int, begin: int
    ) -> Declaration:
        end = body[-1].end
        proof = end
        if keyword.text in _WITH_VALUE:
            proof = min(statement_end(self._text, body[name + 1 :]), end)
        own = body[name].text
        inside = [part for kind, part in scopes if kind == "namespace"]
        full = own.removeprefix(_ROOT) if own.startswith(_ROOT) else ".".join([*inside, own])
        return Declaration(full, keyword.text, Span(begin, end), Span(proof, end))

    def _is_keyword(self, index: int) -> bool:
        token = self._all[index]
        if token.depth or not (token.text in _KEYWORDS or token.text == "lemma"):
            return False
        before = self._before(index)
        if token.text == "lemma":  # a keyword of Mathlib only
            return self._begins_line(token) or before in _MODIFIERS or before in ("]", "in")
        if before == "class" and token.text in ("inductive", "abbrev"):
            return False
        return not (token.text == "instance" and before == "deriving")

    def _other_commands(self) -> Iterator[int]:
        for index, token in enumerate(self._all):
            if token.depth or not self._begins_text_line(token):
                continue
            following = self._all[index + 1] if index + 1 < len(self._all) else None
            is_hash = token.text == "#" and following is not None and following.begin == token.end
            # A type's own `deriving` is part of its declaration.
            is_part = token.text == "deriving" and (following is None or following.text != "instance")
            if is_hash or (token.text in _OTHERS and not is_part):
                yield index

    def _prefix(self, index: int) -> tuple[int, int]:
        """Where the attributes and modifiers of a declaration begin, and where its command does.

        Documentation and commands with `in` stand between the two.
        """
        begin = index
        while begin > 0:
            before = self._all[begin - 1]
            opening = self._opening.get(begin - 1, 0)
            if before.kind == "word" and before.text in _MODIFIERS:
                begin -= 1
            elif before.text == "]" and opening > 0 and self._all[opening - 1].text == "@":
                begin = opening - 1
            else:
                break
        command = begin
        while command > 0:
            before = self._all[command - 1]
            if before.kind == "comment":
                command -= 1
            elif before.text == "in" and before.depth == 0:
                command = self._command_before(command - 1)
            else:
                break
        return begin, command

    def _command_before(self, index: int) -> int:
        """The command that an `in` ends; the `in` itself if it ends none that begins a line."""
        for begin in range(index - 1, -1, -1):
            token = self._all[begin]
            if token.depth == 0 and token.text in _WITH_IN and self._begins_line(token):
                return begin
            if token.depth == 0 and token.text in _KEYWORDS:
                break
        return index

    def _own_name(self, keyword: Token, body: Sequence[Token]) -> str:
        """The name after a `namespace`, `section` or `end`, on its line; empty without one."""
        if not body or body[0].kind != "word" or "\n" in self._text[keyword.end : body[0].begin]:
            return ""
        return body[0].text

    def _before(self, index: int) -> str:
        found = (token.text for token in reversed(self._all[max(0, index - 8) : index]))
        return next((text for text in found if not text.startswith(("--", "/-"))), "")

    def _begins_line(self, token: Token) -> bool:
        begin = self._text.rfind("\n", 0, token.begin) + 1
        return not self._text[begin : token.begin].strip()

    def _begins_text_line(self, token: Token) -> bool:
        return token.begin == 0 or self._text[token.begin - 1] == "\n"


def _named(body: Sequence[Token]) -> int | None:
    """Index of a declaration's name; None without one. A priority may stand before an instance's name."""
    index = 0
    while index < len(body) and body[index].text in ("inductive", "abbrev"):
        index += 1
    if index + 1 < len(body) and body[index].text == "(" and body[index + 1].text == "priority":
        depth = body[index].depth
        index += 1
        while index < len(body) and body[index].depth > depth:
            index += 1
        index += 1
    return index if index < len(body) and body[index].kind == "word" else None


def _follow(scopes: list[tuple[str, str]], keyword: str, name: str) -> None:
    """Open or close scopes: `namespace A.B` and `section A.B` open two, which can be closed one by one."""
    parts = name.split(".") if name else [""]
    if keyword == "end":
        del scopes[max(0, len(scopes) - len(parts)) :]
    elif keyword == "mutual":
        scopes.append(("mutual", ""))
    else:
        scopes += [(keyword, part) for part in parts]
