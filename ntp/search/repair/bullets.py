"""Bullets and braces that are wrong, missing or too many."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from ntp.search.repair.base import CLOSERS, Candidate, Failure

_EXPECTED = re.compile(r"Expecting ([-+*]+)|with bullet ([-+*]+)|Bullet ([-+*]+) is mandatory")
_UNFINISHED = re.compile(r"Current bullet ([-+*]+) is not finished")
_NESTED = ("-", "+", "*", "--", "++", "**")
_SIGNS = re.compile(r"Wrong bullet|\[Focus\]|No such goal|unfocus|No more (?:sub)?goals|not focused", re.I)


class Bullets:
    """The bullet that Coq expects is put in, one that is out of place is replaced or left out."""

    name: ClassVar[str] = "bullets"

    def candidates(self, failure: Failure) -> Iterator[Candidate]:
        """See `Repair.candidates`."""
        if not failure.sentence or not _SIGNS.search(failure.message):
            return
        sentence, rest = failure.sentence, failure.rest
        is_bullet = sentence.strip("-+*{} ") == ""
        if unfinished := _UNFINISHED.search(failure.message):
            for closer in CLOSERS:
                yield Candidate((closer, sentence), rest)
            yield from (Candidate((other,), rest) for other in _NESTED if other != unfinished[1])
        elif expected := _EXPECTED.search(failure.message):
            bullet = next(group for group in expected.groups() if group)
            yield Candidate((bullet,) if is_bullet else (bullet, sentence), rest)
        if '"}"' in failure.message or "unfocus" in failure.message:
            yield Candidate(("}", sentence), rest)
        yield Candidate((), rest)
        yield Candidate((), ())
