"""Goals that should be closed and are not: a tactic that closes goals fails, or the script ends too early."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from ntp.search.repair.base import CLOSERS, Candidate, Failure, head

_CLOSING = frozenset(
    {
        "reflexivity", "assumption", "eassumption", "trivial", "easy", "discriminate", "contradiction", "lia",
        "omega", "nia", "lra", "nra", "ring", "field", "congruence", "tauto", "intuition", "firstorder",
        "auto", "eauto", "exact", "now", "done", "by", "inversion", "exfalso", "absurd",
    }
)  # fmt: skip


class Closing:
    """Another tactic that closes goals is tried."""

    name: ClassVar[str] = "closing"

    def candidates(self, failure: Failure) -> Iterator[Candidate]:
        """See `Repair.candidates`."""
        if failure.sentence and head(failure.sentence) not in _CLOSING:
            return
        for closer in CLOSERS:
            if closer != failure.sentence.strip():
                yield Candidate((closer,), failure.rest)
        if not failure.sentence:
            # Perhaps no goal is in focus.
            yield from (Candidate((structure,), ()) for structure in ("-", "+", "*", "}"))
