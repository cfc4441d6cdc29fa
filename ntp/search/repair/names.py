"""Names that are in use already, and introductions of what is not there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from typing import ClassVar

from ntp.search.repair.base import Candidate, Failure, head, renamed, words

_USED = re.compile(r"(\S+) is already used|(\S+) is used in|Variable (\S+) is already")
_NO_PRODUCT = "No product even after head-reduction"


class NameInUse:
    """What is introduced already is not introduced again, and a name in use becomes a new one."""

    name: ClassVar[str] = "name_in_use"

    def candidates(self, failure: Failure) -> Iterator[Candidate]:
        """See `Repair.candidates`."""
        if _NO_PRODUCT in failure.message:
            yield from _fewer(failure)
        found = _USED.search(failure.message)
        if not found:
            return
        used = next(group for group in found.groups() if group)
        if head(failure.sentence) in ("intro", "intros"):
            known = set(failure.hypotheses)
            left = [name for name in words(failure.sentence)[1:] if name not in known]
            yield Candidate((f"intros {' '.join(left)}.",) if left else (), failure.rest)
        new = next(name for i in count() if (name := f"{used}{i}") not in failure.hypotheses)
        # What follows means the new one.
        changed = [renamed(text, used, new) for text in (failure.sentence, *failure.rest)]
        yield Candidate((changed[0],), tuple(changed[1:]))
        yield Candidate((changed[0],), failure.rest)


def _fewer(failure: Failure) -> Iterator[Candidate]:
    """`intros` with fewer and fewer names, then none at all."""
    if head(failure.sentence) in ("intro", "intros"):
        names = words(failure.sentence)[1:]
        for num in range(len(names) - 1, 0, -1):
            yield Candidate((f"intros {' '.join(names[:num])}.",), failure.rest)
    yield Candidate((), failure.rest)
