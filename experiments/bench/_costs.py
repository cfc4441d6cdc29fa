"""Recorded costs of theorems, as `record_costs.py` writes them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

FIXTURE = Path(__file__).parent / "data" / "costs.csv"


@dataclass(frozen=True)
class RecordedCost:
    """What one theorem cost.

    Attributes:
        file: Its source file.
        begin: Where in the file it stands, in characters.
        state_chars: Length of its first proof state.
        num_steps: Tactics of the recorded human proof.
        sampling_s: Seconds of sampling that are due to it, without opening it.
        best_first_s: Seconds of best-first search that are due to it, without opening it.
        replay_s: Seconds in which a fresh prover gets to it.
    """

    file: str
    begin: int
    state_chars: int
    num_steps: int
    sampling_s: float
    best_first_s: float
    replay_s: float

    @property
    def search_s(self) -> float:
        """Both searches."""
        return self.sampling_s + self.best_first_s


def read_costs() -> list[RecordedCost]:
    """All of them, in order of file and position."""
    with FIXTURE.open(newline="", encoding="utf-8") as stream:
        return [
            RecordedCost(
                row["file"],
                *(int(row[name]) for name in ("begin", "state_chars", "num_steps")),
                *(float(row[name]) for name in ("sampling_s", "best_first_s", "replay_s")),
            )
            for row in csv.DictReader(stream)
        ]
