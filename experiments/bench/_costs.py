"""Recorded costs of theorems, as `record_costs.py` writes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

FIXTURE = Path(__file__).parent / "data" / "costs.json"


@dataclass(frozen=True)
class RecordedCost:
    """What one theorem cost.

    Attributes:
        file: Its source file.
        begin: Where in the file it stands, in characters.
        state_chars: Length of its first proof state.
        search_s: Seconds of the searches that are due to it, without opening it.
        replay_s: Seconds in which a fresh prover gets to it.
    """

    file: str
    begin: int
    state_chars: int
    search_s: float
    replay_s: float


@dataclass(frozen=True)
class Recording:
    """Costs of an evaluation's theorems.

    Attributes:
        overrides: What was changed of `search_eval`.
        num_tactics: How many tactics were drawn at most for a theorem, as an estimate counts them.
        startup_s: Seconds until a process has its policy.
        theorems: In order of file and position.
    """

    overrides: list[str]
    num_tactics: int
    startup_s: float
    theorems: list[RecordedCost]


def write_recording(recording: Recording) -> None:
    """Write the fixture, a theorem a line."""
    head = {name: getattr(recording, name) for name in ("overrides", "num_tactics", "startup_s")}
    rows = ",\n".join(json.dumps(astuple(theorem)) for theorem in recording.theorems)
    columns = json.dumps([field.name for field in fields(RecordedCost)])
    FIXTURE.parent.mkdir(exist_ok=True)
    FIXTURE.write_text(f'{json.dumps(head)[:-1]},\n"columns": {columns},\n"theorems": [\n{rows}\n]}}\n')


def read_recording() -> Recording:
    """Read the fixture.

    Raises:
        FileNotFoundError: Nothing was recorded yet.
    """
    data = json.loads(FIXTURE.read_text())
    theorems: Sequence[Sequence] = data["theorems"]
    return Recording(
        data["overrides"],
        data["num_tactics"],
        data["startup_s"],
        [RecordedCost(**dict(zip(data["columns"], row, strict=True))) for row in theorems],
    )
