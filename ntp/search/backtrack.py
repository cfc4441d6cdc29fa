"""Finishing scripts that fail: closing the goals that are left with tactics, and undoing steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ntp.search.interface import Budget
from ntp.types import ScriptResult, Theorem


class Backtracker(Protocol):
    """Anything that completes a script from what a prover accepted of it."""

    def complete(
        self, theorem: Theorem, result: ScriptResult, names: Sequence[str], budget: Budget
    ) -> str | None:
        """A complete script that begins with accepted sentences, or None if none is found.

        Args:
            theorem: The theorem.
            result: What the prover said of a script that is no proof. Its accepted sentences are kept as far
                as possible; those after its failure are not known and not used.
            names: Names of premises that closing tactics may use, best first.
            budget: Limits on what this call spends: `max_env_steps`, `max_seconds`, `max_cpu_seconds`.

        Returns:
            The text of a script that `ProofEnv.check_script` accepted, without tactics that search outside of
            the prover (`hammer` is replaced by the tactic that it found).

        Raises:
            InitError: The theorem cannot be opened.
            EnvError: The prover is missing or cannot start.
        """
        ...
