"""The statement in a text that a data set or a model gives: cut from what stands around it."""

from __future__ import annotations

import re

from ntp.data.coq.declarations import read_command
from ntp.data.lean.statements import cut_declaration, without_proof
from ntp.envs.coq.syntax import CoqSyntaxError, sentences
from ntp.envs.coq.tokens import flatten
from ntp.envs.lean.syntax import LeanSyntaxError, statement_end, tokens
from ntp.errors import DataError

COQ, LEAN, LEAN3, ISABELLE = "coq", "lean", "lean3", "isabelle"
PROVERS = (COQ, LEAN, LEAN3, ISABELLE)

_COQ = re.compile(
    r"^\s*(?:#\[.*\]\s*)?(?:Theorem|Lemma|Corollary|Proposition|Remark|Fact|Property|Example)\s", re.MULTILINE
)
_ISABELLE = re.compile(r'\b(?:fixes|assumes|shows)\b|\b(?:lemma|theorem)\b[^"\n]*"')
_LEAN = re.compile(r"\b(?:theorem|lemma|example|def)\b")


def prover_of(formal: str, header: str = "") -> str | None:
    """The prover whose language a statement is written in; None if it looks like none of them."""
    if _COQ.search(formal):
        return COQ
    if _ISABELLE.search(formal):
        return ISABELLE
    if not _LEAN.search(formal):
        return None
    return LEAN3 if re.search(r"^\s*import\s+(?:\.|[a-z])|\bopen_locale\b", header, re.MULTILINE) else LEAN


def cut_statement(text: str, prover: str) -> tuple[str, str]:
    """What stands before the statement of a text, and the statement without its proof.

    Of Coq's statements, comments and layout are dropped.

    Args:
        text: A declaration, maybe with declarations that it needs, maybe with its proof.
        prover: The prover whose language it is.

    Raises:
        DataError: There is no whole statement in it.
    """
    if prover == COQ:
        return _cut_coq(text)
    if prover in (LEAN, LEAN3):
        preamble, declaration = cut_declaration(text.strip(), "the formal statement")
        return preamble, without_proof(declaration).strip()
    return "", text.strip()


def _cut_coq(text: str) -> tuple[str, str]:
    before: list[str] = []
    try:
        for sentence in sentences(text):
            if read_command(sentence.text).states_lemma:
                return "\n".join(before), flatten(sentence.text)
            before.append(sentence.text)
    except CoqSyntaxError:
        pass
    raise DataError("the formal statement: no sentence states a theorem")


def first_statement(text: str, prover: str) -> str:
    """The statement in what a model wrote: the rest of what it wrote is cut off.

    Args:
        text: Its answer, hostile; maybe in a fenced block, maybe with a proof, maybe cut off itself.
        prover: The prover that the statement is for.

    Returns:
        The first statement; the whole text if none is found, so that the prover says what is wrong with it.
    """
    text = _unfenced(text)
    if prover == COQ:
        try:
            return _cut_coq(text)[1]
        except DataError:
            return text.strip()
    if prover in (LEAN, LEAN3):
        return _first_lean(text)
    return text.strip()


_FENCE = re.compile(r"```\w*\n(.*?)(?:```|\Z)", re.DOTALL)
_LEAN_BEGIN = re.compile(r"^[ \t]*(?:theorem|lemma|example)\b", re.MULTILINE)


def _unfenced(text: str) -> str:
    found = _FENCE.search(text)
    return found[1] if found else text


def _first_lean(text: str) -> str:
    begin = _LEAN_BEGIN.search(text)
    if begin is None:
        return text.strip()
    rest = text[begin.start() :].lstrip()
    following = _LEAN_BEGIN.search(rest, 1)
    rest = rest[: following.start()] if following else rest
    try:
        found = [token for token in tokens(rest) if token.kind != "comment"]
    except LeanSyntaxError:
        return rest.strip()
    return rest[: statement_end(rest, found[1:])].strip()
