"""Identity of proof terms: digests of printed terms that do not depend on names of bound variables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b

from ntp.envs.coq.tokens import Token, tokens

# Sentences after which `Print` shows the whole term: every argument, no notations, no `...`.
PRINT_WHOLE = ("Set Printing All.", "Set Printing Depth 1000000.")
# Between the term and its type, which has names of its own.
_TYPE = "\n     : "
_BINDERS = frozenset({"fun", "forall", "fix", "cofix", "let", "as"})
_ENDS = frozenset({":", ":=", "=>", ",", "in", "return", "with"})
_OPENING = frozenset({"(", "{"})
_CLOSING = frozenset({")", "}"})
_SORTS = {"Type", "Prop", "Set", "SProp"}
_KEYWORDS = _BINDERS | _ENDS | {"match", "end", "if", "then", "else", "struct", "_"}


def term_digest(printed: str) -> str:
    """Digest of what `Print` shows after `PRINT_WHOLE`: 16 hexadecimal digits.

    Bound variables are numbered by their first occurrence. Two terms that differ in their names only have one
    digest; different terms have different ones, unless one uses a global name that the other binds.
    """
    found = _term_tokens(printed)
    bound = set(_bound_names(found))
    numbers: dict[str, str] = {}
    words = [
        numbers.setdefault(token.text, f"?{len(numbers)}") if token.text in bound else token.text
        for token in found
    ]
    return blake2b(" ".join(words).encode(), digest_size=8).hexdigest()


def global_names(printed: str) -> list[str]:
    """Names in what `Print` shows after `PRINT_WHOLE` that no binder introduces, in order, each once.

    A global name that is bound somewhere in the term too is left out, unless it is qualified.
    """
    found = _term_tokens(printed.partition("=")[2] or printed)
    bound = set(_bound_names(found)) | _KEYWORDS | _SORTS
    names = (token.text for token in found if token.kind == "name")
    return list(dict.fromkeys(name for name in names if name not in bound))


def _term_tokens(printed: str) -> list[Token]:
    return tokens(printed.rpartition(_TYPE)[0] or printed, printed=True)


def _bound_names(found: Sequence[Token]) -> Iterator[str]:
    for index, token in enumerate(found):
        if token.text in _BINDERS:
            yield from _binders(_from(found, index + 1))
        elif token.text == "|":
            yield from _pattern(_from(found, index + 1))
        elif token.text == "in" and [t.text for t in found[index + 1 : index + 2]] == ["("]:
            yield from _pattern(_from(found, index + 2))  # the indices of a match: `in (eq _ y)`


def _from(found: Sequence[Token], begin: int) -> Iterator[Token]:
    # A slice would copy the rest of the term for each of its binders.
    return (found[index] for index in range(begin, len(found)))


def _binders(found: Iterator[Token]) -> Iterator[str]:
    """The names that binders introduce: `x y : T` or `(x y : T) (z : U)`."""
    depth, named = 0, True
    for token in found:
        if token.text in _OPENING:
            depth += 1
            named = depth == 1
        elif token.text in _CLOSING:
            depth -= 1
            if depth < 0:
                return
            named = depth == 0
        elif depth == 0 and token.text in _ENDS:
            return
        elif token.text in (":", ":="):
            named = False
        elif named and token.kind == "name" and token.text not in _KEYWORDS:
            yield token.text


def _pattern(found: Iterator[Token]) -> Iterator[str]:
    """The names after the first, up to the end of a pattern: `C a b =>`."""
    names = []
    for token in found:
        if token.text in ("=>", "return") or token.text in _CLOSING:
            break
        if token.kind == "name" and token.text not in _KEYWORDS:
            names.append(token.text)
    yield from names[1:]
