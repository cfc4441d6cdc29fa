"""Counts of what an extraction of Lean sources leaves out, or does not find as one may expect."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(slots=True)
class LeftOut:
    """Counts for a file or a data set.

    Attributes:
        num_tactics_repeated: Tactics elaborated more than once at a place (`<;>`), beyond the first time.
        num_tactics_refused: Tactics that the guard of the environment refuses.
        num_tactics_failed: What the REPL reports and does not run on its own: parts of `rw`, `calc` and
            `conv`, tactics that need what stands around them, tactics without a goal.
        num_tactics_elsewhere: Tactics outside the proofs of theorems, in definitions and instances.
        num_theorems_with_sorry: Theorems in which something is assumed.
        num_theorems_without_tactics: Recorded theorems without steps: their proof is a term, say.
        num_proofs_not_closed: Recorded theorems whose last step leaves goals.
    """

    num_tactics_repeated: int = 0
    num_tactics_refused: int = 0
    num_tactics_failed: int = 0
    num_tactics_elsewhere: int = 0
    num_theorems_with_sorry: int = 0
    num_theorems_without_tactics: int = 0
    num_proofs_not_closed: int = 0

    def add(self, other: LeftOut) -> None:
        """Add the counts of another file."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))
