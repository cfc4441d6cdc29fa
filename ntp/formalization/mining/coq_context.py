"""What a statement of a file needs before it, when the file itself is compiled and can be imported."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ntp.data.coq.declarations import PREFIXES, Command
from ntp.envs.coq.syntax import read_prefixes
from ntp.envs.coq.tokens import Token

# Sentences whose effect ends with their module or section, so that importing the file does not bring it back.
_SETTINGS = {
    "Open",
    "Close",
    "Import",
    "Export",
    "Set",
    "Unset",
    "Implicit",
    "Generalizable",
    "Arguments",
    "Bind",
}
_NOTATIONS = {"Notation", "Infix", "Coercion", "Delimit", "Reserved", "Existing", "Hint"}
_VARIABLES = {"Variable", "Variables", "Hypothesis", "Hypotheses", "Context", "Let"}
_DEFINITIONS = {
    "Definition",
    "Fixpoint",
    "CoFixpoint",
    "Inductive",
    "CoInductive",
    "Record",
    "Class",
    "Variant",
}
_LOADS = {"Require", "From"}
_MODULES = {"Module", "Section"}


@dataclass(slots=True)
class _Scope:
    """An open module or section and the sentences in it that later statements need."""

    name: str
    is_type: bool = False
    opening: str = ""  # of a functor or module type: its sentence up to where its parameters end
    arguments: tuple[str, ...] = ()
    is_section: bool = False
    sentences: list[str] = field(default_factory=list)


class Context:
    """Follows a file sentence by sentence.

    Args:
        module: The file's logical name.
    """

    def __init__(self, module: str) -> None:
        self._module = module
        self._loads: list[str] = []
        self._scopes = [_Scope("")]

    def add(self, text: str, command: Command) -> None:
        """Take note of a sentence."""
        keyword, words = command.keyword, command.words
        scope = self._scopes[-1]
        if keyword in _LOADS and "Require" in words:
            self._loads.append(text)
        elif keyword in _MODULES and len(words) > 1:
            self._open(text, command)
        elif keyword == "End" and len(self._scopes) > 1:
            self._scopes.pop()
        elif keyword == "Let" and ":=" not in words:
            scope.sentences.append(text.replace("Let", "Variable", 1))  # its proof is not wanted
        elif keyword in _SETTINGS or keyword in _VARIABLES or self._is_local(text, keyword):
            scope.sentences.append(text)

    def header(self) -> str:
        """What makes a statement at this place mean what it means there: loads first, then what is open."""
        lines = [*dict.fromkeys(self._loads), f"Require Import {self._module}."]
        path = self._module
        for number, scope in enumerate(self._scopes):
            if scope.is_section:
                lines.append(f"Section {scope.name}.")
            elif scope.opening:
                # Its own names are those of a module that is what it makes of its parameters.
                whole = " ".join((f"{path}.{scope.name}", *scope.arguments))
                path = f"Inner{number}"
                lines += [f"Module Type Outer{number} {scope.opening}.", f"Declare Module {path} : {whole}."]
                if not scope.is_type:
                    lines[-1] = f"Module {path} := {whole}."
                lines.append(f"Import {path}.")
            elif scope.name:
                path = f"{path}.{scope.name}"
                lines.append(f"Import {path}.")
            lines += scope.sentences
        return "\n".join(lines)

    def _open(self, text: str, command: Command) -> None:
        """Enter a section or module; a module that is given by `:=` is not entered."""
        words = command.words
        if command.keyword == "Section":
            self._scopes.append(_Scope(words[1], is_section=True))
            return
        kind = [word for word in words[1:3] if word in ("Type", "Import", "Export")]
        if ":=" in words or len(words) < 2 + len(kind):
            return
        name = words[1 + len(kind)]
        end = next(
            (t.span.begin for t in _outside(command) if t.text in (":", "<")), len(text.rstrip(". \n"))
        )
        opening = text[command.tokens[1 + len(kind)].span.end : end].strip()
        is_type = "Type" in kind
        if opening or is_type:
            self._scopes.append(_Scope(name, is_type, opening or " ", tuple(_parameters(command))))
        else:
            self._scopes.append(_Scope(name))

    def _is_local(self, text: str, keyword: str) -> bool:
        """Whether a notation or definition is not there any more once its section or file has ended."""
        in_section = any(scope.is_section for scope in self._scopes)
        if keyword in _NOTATIONS:
            return in_section or _prefixed(text, "Local")
        return in_section and keyword in _DEFINITIONS and _is_whole(text, keyword)


def _prefixed(text: str, word: str) -> bool:
    words = text[read_prefixes(text).end :].split(None, 2)[:2]
    return word in words[: 1 if words and words[0] not in PREFIXES else 2]


def _is_whole(text: str, keyword: str) -> bool:
    """Whether a definition has its value in its sentence; without one, a proof would follow."""
    return keyword not in {"Definition", "Fixpoint", "CoFixpoint"} or ":=" in text


def _outside(command: Command) -> Iterator[Token]:
    """The tokens of a module's opening sentence outside brackets."""
    depth = 0
    for token in command.tokens:
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0:
            yield token


def _parameters(command: Command) -> Iterator[str]:
    """Names of a functor's parameters, in order: those before the colon of each bracket."""
    depth, is_name = 0, False
    for token in command.tokens:
        if token.text == "(":
            depth, is_name = depth + 1, depth == 0
        elif token.text == ")":
            depth -= 1
        elif token.text == ":":
            is_name = False
        elif depth == 1 and is_name and token.text not in ("Import", "Export"):
            yield token.text
