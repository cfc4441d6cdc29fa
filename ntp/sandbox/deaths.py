"""How an exchange with a child process can fail, and how often work is retried after that."""

from __future__ import annotations

from dataclasses import dataclass


class ProcessDiedError(Exception):
    """The child has ended, or was ended because the exchange could not be completed.

    Attributes:
        killed: Whether it was killed from outside (SIGKILL), so that a new child may succeed.
        limit: Which limit it exceeded: "processes", "memory", "scratch", "file" or "answer"; empty for none.
    """

    def __init__(self, message: str, killed: bool = False, limit: str = "") -> None:
        super().__init__(message)
        self.killed = killed
        self.limit = limit


class AnswerTooLongError(ProcessDiedError):
    """The child wrote more than the limit; it has been killed."""


class DeadlineExceededError(Exception):
    """No complete answer yet. The child still runs: interrupt it and call `resume`, or kill it."""


@dataclass(slots=True)
class RetryBudget:
    """How often a piece of work is retried after its process died.

    Attributes:
        killed: Retries left after a kill from outside, which says nothing about the work.
        died: Retries left after any other death.
    """

    killed: int = 20
    died: int = 1

    def allows(self, death: ProcessDiedError) -> bool:
        """Count a death and return whether to retry."""
        if death.killed:
            self.killed -= 1
        else:
            self.died -= 1
        return self.killed >= 0 and self.died >= 0
