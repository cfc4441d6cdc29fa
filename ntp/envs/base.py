"""The interface of a proof assistant: all that search, policies, losses and modules know about provers.

A bad tactic is a value (`ntp.types.Outcome`); only broken infrastructure raises. To add a prover, implement
these two protocols and add a config to `conf/env/`; nothing in the layers above changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ntp.types import Outcome, ProofState, ScriptResult, Theorem, Verdict


class ProofSession(Protocol):
    """One theorem opened for search. States form a tree; a tactic may be run in any earlier state.

    Attributes:
        theorem: The theorem.
        root: Its initial state.
        num_env_steps: Tactics that the prover has run: those that a guard refused, and repeated ones whose
            outcome was remembered, do not count.
    """

    theorem: Theorem
    root: ProofState
    num_env_steps: int

    @property
    def cpu_s(self) -> float:
        """CPU time of the prover and the processes that it started since the theorem was opened, in seconds.

        0 for provers that run in this process.
        """
        ...

    def step(self, state: ProofState, tactic: str) -> Outcome:
        """Run one tactic in a state of this session.

        `Proved` is returned only after the kernel accepted the whole proof. Model-written text is hostile
        input: whatever it contains, this returns an outcome within the tactic timeout and has no side effect.
        """
        ...

    def close(self) -> None:
        """Release the theorem. The environment may then open another one."""
        ...


class ProofEnv(Protocol):
    """A prover (one process or several). At most one session is open at a time."""

    def open(self, theorem: Theorem) -> ProofSession:
        """Open a theorem, closing the previous session.

        Fastest when the theorems of one file are visited last to first: the file is then loaded once.

        Raises:
            InitError: The theorem is unknown or its file does not replay up to it.
            EnvError: The prover is missing or cannot start.
        """
        ...

    def check_proof(self, theorem: Theorem, tactics: Sequence[str]) -> Verdict:
        """Replay a complete proof from the theorem's clean initial state and let the kernel check it.

        Raises:
            InitError: As for `open`.
            EnvError: As for `open`.
        """
        ...

    def check_script(self, theorem: Theorem, text: str) -> ScriptResult:
        """Run a whole proof script, as people write them, and let the kernel check it if it is complete.

        Args:
            theorem: The theorem.
            text: For Coq, sentences with bullets and braces, with or without `Proof.` and `Qed.`; for Lean,
                what follows `:= by`. Hostile, as in `ProofSession.step`.

        Raises:
            InitError: As for `open`.
            EnvError: As for `open`.
        """
        ...

    def close(self) -> None:
        """End every process. Safe to call twice."""
        ...
