"""Names written in a Coq tactic that may be premises: neither tactics, nor bound or introduced there."""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterable, Sequence

from ntp.envs.coq.tokens import Token, tokens
from ntp.types import Goal

_HYPOTHESIS_NAMES = re.compile(r"([^:]*?)\s*:")
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_BINDERS = {"fun", "forall", "exists", "exists2", "λ", "∀", "∃", "fix", "cofix"}
# After these the next word is a tactic again.
_COMBINATORS = {
    "try", "repeat", "progress", "once", "exactly_once", "abstract", "now", "solve", "first", "time", "do",
    "timeout", "tryif", "assert_fails", "assert_succeeds", "info", "intuition", "gfail", "then", "else", "by",
}  # fmt: skip
_BEFORE_A_TERM = {"exact", "eexact", "apply", "eapply", "refine", "rewrite", "erewrite", "->", "<-", "proof"}
_NUMBERED = {"do", "timeout"}
_INTRODUCING = {"intro", "intros", "eintros"}
_WITH_DATABASES = {
    "auto", "eauto", "trivial", "firstorder", "autorewrite", "autounfold", "info_auto",
    "info_eauto", "debug",
}  # fmt: skip
_KEYWORDS = {
    "in", "at", "with", "as", "by", "using", "end", "match", "lazymatch", "multimatch", "goal", "context",
    "return", "if", "then", "else", "let", "into", "eqn", "after", "before", "Type", "Prop", "Set",
    "SProp", "struct", "where", "for", "type", "of", "value", "constr", "ltac", "uconstr", "reverse",
    "dependent", "simple",
} | _BINDERS  # fmt: skip


def candidate_names(tactic: str, hypotheses: Collection[str]) -> list[str]:
    """Names in a tactic that a global lookup should be asked for, in order, each once.

    Args:
        tactic: Text of the sentence.
        hypotheses: Names that the context shadows.
    """
    reader = _Reader(tokens(tactic))
    return [name for name in dict.fromkeys(reader.names()) if name.partition(".")[0] not in hypotheses]


def hypothesis_names(goals: Iterable[Goal]) -> set[str]:
    """Names of the hypotheses of some goals."""
    return set().union(*(_names_of(goal.hypotheses) for goal in goals))


@functools.lru_cache(maxsize=4096)
def _names_of(hypotheses: tuple[str, ...]) -> frozenset[str]:
    heads = (match[1] for match in map(_HYPOTHESIS_NAMES.match, hypotheses) if match)
    return frozenset(name.strip() for head in heads for name in head.split(","))


class _Reader:
    """One pass over a tactic that follows where tactics, terms and binders stand."""

    def __init__(self, found: Sequence[Token]) -> None:
        self._tokens = found
        self._at_tactic = True
        self._tactic = ""
        self._brackets: list[tuple[str, bool]] = []
        self._skipping: str | None = None
        self._bound: set[str] = set()

    def names(self) -> list[str]:
        found: list[str] = []
        for index, token in enumerate(self._tokens):
            if token.kind == "name":
                if self._is_candidate(index, token.text):
                    found.append(token.text)
            elif token.kind == "symbol":
                self._symbol(index, token.text)
            elif token.kind == "number" and self._tactic not in _NUMBERED:
                self._at_tactic = False
        return [name for name in found if name not in self._bound]

    def _is_candidate(self, index: int, name: str) -> bool:
        if self._at_tactic:
            self._enter(name)
            return False
        if name in _COMBINATORS and name in {"by", "then", "else"} and self._in_tactic:
            self._enter(name)
            return False
        if self._text(index - 1) == "%":
            # In a pattern a lemma to apply, in a term a scope.
            return self._skipping in {"tactic", "pattern"}
        if name in _KEYWORDS:
            self._keyword(index, name)
            return False
        if self._skipping in {"tactic", "pattern"}:
            self._bound.add(name)
        return self._skipping is None and self._text(index + 1) != ":="

    def _enter(self, name: str) -> None:
        self._tactic = name
        self._at_tactic = name in _COMBINATORS
        self._skipping = "tactic" if name in _INTRODUCING else None

    def _keyword(self, index: int, name: str) -> None:
        if name == "as":
            self._skipping = "pattern"
        elif name == "with" and self._tactic in _WITH_DATABASES:
            self._skipping = "databases"
        elif name in {"in", "with", "using"} and self._skipping != "tactic":
            self._skipping = None
        elif name in _BINDERS:
            self._bind(index + 1)

    def _bind(self, index: int) -> None:
        while self._text(index) not in {":", ",", "=>", ":=", ""}:
            if self._tokens[index].kind == "name":
                self._bound.add(self._tokens[index].text)
            index += 1

    def _symbol(self, index: int, text: str) -> None:
        if text in _CLOSING:
            is_tactic = self._at_tactic
            self._brackets.append((text, is_tactic))
            if text == "(" and not is_tactic:
                self._binder_group(index)
        elif text in _CLOSING.values():
            if self._brackets:
                self._brackets.pop()
            self._at_tactic = False
        elif text in {";", "|", "||"} and self._in_tactic and not (text == "|" and not self._brackets):
            self._at_tactic, self._skipping, self._tactic = True, None, ""
        elif text == ":" and self._ends_selector(index):
            self._at_tactic, self._skipping = True, None
        elif text == "=>" and self._in_tactic:
            self._at_tactic = True
        elif text == "," and self._skipping == "pattern" and not self._brackets:
            self._skipping = None
        elif text != ">":
            self._at_tactic = False

    def _ends_selector(self, index: int) -> bool:
        # `all:`, `2:`, `1-2, 4:`
        return index == 1 or all(
            token.kind == "number" or token.text in "-," for token in self._tokens[:index]
        )

    def _binder_group(self, index: int) -> None:
        # `(x y : T)`: a group of names up to a colon binds them; `exact (x : T)` does not.
        end = index + 1
        while self._text(end) and self._tokens[end].kind == "name":
            end += 1
        is_cast = end == index + 2 and self._text(index - 1) in _BEFORE_A_TERM
        if end > index + 1 and self._text(end) == ":" and not is_cast:
            self._bound.update(token.text for token in self._tokens[index + 1 : end])

    @property
    def _in_tactic(self) -> bool:
        return all(is_tactic for _, is_tactic in self._brackets)

    def _text(self, index: int) -> str:
        return self._tokens[index].text if 0 <= index < len(self._tokens) else ""
