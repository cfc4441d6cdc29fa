"""Unknown names: the closest ones that the proof may use."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import ClassVar

from ntp.search.repair.base import Candidate, Failure, renamed

_UNKNOWN = re.compile(
    r"The (?:reference|variable|constant|term) (\S+) was not found|No such hypothesis:? (\S+?)\.?(?:\s|$)"
)
_PARTS = re.compile(r"[^\W_]+")
# Names that share most parts are compared letter by letter, which takes longer.
_COMPARED = 200


class UnknownReference:
    """A name that is not known is replaced, here and in the rest, by known ones that are spelt alike."""

    name: ClassVar[str] = "unknown_reference"

    def candidates(self, failure: Failure) -> Iterator[Candidate]:
        """See `Repair.candidates`."""
        found = _UNKNOWN.search(failure.message)
        if not found:
            return
        unknown = (found[1] or found[2]).strip('".')
        for name in closest(unknown, [*failure.hypotheses, *failure.names]):
            changed = [renamed(text, unknown, name) for text in (failure.sentence, *failure.rest)]
            if changed[0] != failure.sentence:
                yield Candidate((changed[0],), tuple(changed[1:]))


def closest(unknown: str, names: Sequence[str]) -> list[str]:
    """Names in order of likeness to an unknown one: by shared parts, then by letters."""
    wanted = set(_parts(unknown))
    last = unknown.rpartition(".")[2]

    def overlap(name: str) -> float:
        parts = set(_parts(name.rpartition(".")[2]))
        return len(wanted & parts) / (len(wanted | parts) or 1)

    def likeness(name: str) -> float:
        return SequenceMatcher(None, last, name.rpartition(".")[2]).ratio() + overlap(name)

    # Python's sort keeps the order of equals: hypotheses stand first.
    near = sorted((name for name in dict.fromkeys(names) if name != unknown), key=overlap, reverse=True)
    return sorted(near[:_COMPARED], key=likeness, reverse=True)


def _parts(name: str) -> list[str]:
    return _PARTS.findall(name.lower())
