"""Candidates in Lean files: a docstring `/-- ... -/` and the theorem that follows it."""

from __future__ import annotations

import re
from collections import Counter

from ntp.data.lean.declarations import THEOREMS, find_declarations
from ntp.formalization.mining.candidates import Candidate, why_left_out
from ntp.formalization.records import TRAIN, Pair
from ntp.formalization.typecheck.verdict import StatementChecker

_DOCSTRING = re.compile(r"/--((?:(?!-/|/-).)*)-/\s*\Z", re.DOTALL)
_KEYWORD = re.compile(rf"\b({'|'.join(sorted(THEOREMS))})\b")


def find_candidates(text: str, file: str) -> tuple[list[Candidate], Counter[str]]:
    """The candidates of a file, and how many of its documented theorems are left out, by reason.

    Their header is the file's text up to the docstring: namespaces, variables and notations are as there.

    Args:
        text: The file's text.
        file: Its path, for messages.

    Raises:
        LeanSyntaxError: A string, comment or bracket is not closed.
    """
    found: list[Candidate] = []
    left_out: Counter[str] = Counter()
    for declaration in find_declarations(text):
        documented = _DOCSTRING.search(text, 0, declaration.span.begin)
        if declaration.kind not in THEOREMS or documented is None:
            continue
        informal = " ".join(documented[1].split())
        statement = declaration.statement(text)
        keyword = _KEYWORD.search(statement)
        reason = why_left_out(informal)
        if reason or keyword is None:
            left_out[reason or "no theorem"] += 1
            continue
        line = text.count("\n", 0, declaration.span.begin) + 1
        formal = statement[keyword.start() :]
        header = text[: documented.start()].rstrip()
        found.append(Candidate(declaration.full_name, file, line, informal, formal, header))
    return found, left_out


def mine_text(
    text: str, file: str, source: str, checker: StatementChecker
) -> tuple[list[Pair], Counter[str]]:
    """The pairs of a file, all of the part `train` so far: candidates whose statement Lean accepts.

    Args:
        text: The file's text.
        file: Its path.
        source: Name of the library.
        checker: States the theorems.

    Raises:
        LeanSyntaxError: As for `find_candidates`.
        EnvError: Lean cannot start, or a header does not load.
    """
    candidates, left_out = find_candidates(text, file)
    pairs: list[Pair] = []
    for one in candidates:
        verdict = checker.check(one.header, one.formal)
        if verdict.well_typed:
            topic = file.removesuffix(".lean").replace("/", ".")
            name = f"{topic}:{one.name}:{one.line}"
            pairs.append(
                Pair(name, one.informal, one.formal, one.header, checker.prover, TRAIN, source, topic)
            )
        else:
            left_out[f"statement {verdict.outcome}"] += 1
    return pairs, left_out
