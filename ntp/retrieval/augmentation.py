"""Puts retrieved premises before a state, for generators with retrieval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ntp.errors import ConfigError
from ntp.retrieval.base import Retrieved, Retriever
from ntp.retrieval.text import marked_statement
from ntp.types import Theorem

_CHUNK = 1024


@dataclass(frozen=True)
class Augmentation:
    """Retrieves premises and lays them out before states.

    Attributes:
        retriever: Finds them.
        num_premises: Premises retrieved for a state.
        max_bytes: Longest augmented state, in bytes of UTF-8.

    Raises:
        ConfigError: A limit is below 1.
    """

    retriever: Retriever
    num_premises: int
    max_bytes: int

    def __post_init__(self) -> None:
        for name in ("num_premises", "max_bytes"):
            if getattr(self, name) < 1:
                raise ConfigError(f"retrieval.{name}={getattr(self, name)}: give at least 1")

    def __call__(self, states: Sequence[str], theorems: Sequence[Theorem]) -> list[str]:
        """States with premises in front of them, in order.

        Raises:
            DataError: What a theorem may use is unknown.
        """
        texts: list[str] = []
        # In chunks, since a hundred premises for every state of a library would not fit into memory.
        for begin in range(0, len(states), _CHUNK):
            part = states[begin : begin + _CHUNK]
            found = self.retriever.retrieve(part, theorems[begin : begin + _CHUNK], self.num_premises)
            texts += [augmented(s, hits, self.max_bytes) for s, hits in zip(part, found, strict=True)]
        return texts


def augmented(state: str, found: Sequence[Retrieved], max_bytes: int) -> str:
    """Premises joined by blank lines, the best one next to the state, and then the state.

    Like `format_augmented_state` in ReProver's `common.py`: a premise that does not fit into the remaining
    budget is skipped, and the state is never truncated.

    Args:
        state: As a policy reads it.
        found: Premises, best first.
        max_bytes: Maximum size of the result, in bytes of UTF-8.
    """
    left = max_bytes - len(state.encode())
    parts = [state]
    for hit in found:
        text = marked_statement(hit.premise)
        size = len(text.encode()) + 2
        if size <= left:
            parts.append(text)
            left -= size
    return "\n\n".join(reversed(parts))
