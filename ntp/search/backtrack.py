"""The interface of what completes a proof that a script began."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ntp.search.interface import Budget
from ntp.types import ScriptResult, Theorem


class Backtracker(Protocol):
    """Completes a script that failed: closes the goal there, or undoes the proof to a branching."""

    def complete(
        self, theorem: Theorem, result: ScriptResult, names: Sequence[str], budget: Budget
    ) -> str | None:
        """A complete script, or None.

        Args:
            theorem: The theorem.
            result: How far the script went.
            names: Names that it uses, in full.
            budget: Limits of the search.
        """
        ...
