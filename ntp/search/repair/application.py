"""Lemmas that do not fit: cannot unify, no subterm, not enough arguments, of another type."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from ntp.search.repair.base import Candidate, Failure

_MISFIT = re.compile(
    r"Unable to unify|Impossible to unify|Cannot unify|no subterm matching|Unable to find an instance|"
    r"Not the right number|while it is expected to have type|Cannot infer|Illegal application|"
    r"Not enough|does not end with|is not rewritable|Cannot find a relation|Nothing to rewrite|"
    r"Tactic generated a subgoal identical"
)
_APPLY = re.compile(r"(?:simple )?(?:e?apply|e?exact|refine) +(.+?)\.?$", re.S)
_REWRITE = re.compile(r"e?rewrite +(<-|->)? *(.+?)\.?$", re.S)


class Misfit:
    """A lemma is applied with open arguments or turned round, a rewriting is done the other way."""

    name: ClassVar[str] = "misfit"

    def candidates(self, failure: Failure) -> Iterator[Candidate]:
        """See `Repair.candidates`."""
        if not failure.sentence or not _MISFIT.search(failure.message):
            return
        sentence = failure.sentence.strip()
        for text in (*_applied(sentence), *_rewritten(sentence)):
            if text != sentence:
                yield Candidate((text,), failure.rest)
        yield Candidate((), failure.rest)


def _applied(sentence: str) -> Iterator[str]:
    found = _APPLY.fullmatch(sentence)
    if found:
        term = found[1]
        function = term.strip("()").split()[0] if " in " not in term else term
        yield f"eapply {term}."
        yield f"intros; eapply {term}."
        yield f"symmetry; eapply {term}."
        yield f"eapply {function}."
        yield f"intros; eapply {function}; eauto."


def _rewritten(sentence: str) -> Iterator[str]:
    found = _REWRITE.fullmatch(sentence)
    if found:
        arrow, rules = found[1] or "->", found[2]
        plain = rules.split(" in ")[0]
        other = "->" if arrow == "<-" else "<-"
        yield f"rewrite {other} {rules}."
        yield f"erewrite {arrow} {rules}."
        yield f"intros; rewrite {arrow} {plain}."
        yield f"rewrite {arrow} {plain} in *."
        yield f"symmetry; rewrite {arrow} {plain}."
        yield f"setoid_rewrite {arrow} {plain}."
