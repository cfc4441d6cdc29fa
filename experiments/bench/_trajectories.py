"""Recorded rollouts on real Coq theorems, so that benchmarks need no prover."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

FIXTURE = Path(__file__).parent / "data" / "trajectories.json"


@dataclass(frozen=True, slots=True)
class RecordedPath:
    """A trajectory: the states visited, the tactic tried in each, and whether it was a proof."""

    states: tuple[str, ...]
    tactics: tuple[str, ...]
    proved: bool


@dataclass(frozen=True, slots=True)
class RecordedGroup:
    """All trajectories of one theorem in a training step."""

    theorem: str
    paths: tuple[RecordedPath, ...]


def write_fixture(groups: Sequence[RecordedGroup], human_states: Sequence[str]) -> None:
    """Write the rollouts, each state once, and some states of human proofs."""
    states = list(dict.fromkeys(s for group in groups for path in group.paths for s in path.states))
    index = {state: i for i, state in enumerate(states)}
    rows = [
        {
            "theorem": group.theorem,
            "paths": [
                {
                    "proved": p.proved,
                    "steps": [[index[s], t] for s, t in zip(p.states, p.tactics, strict=True)],
                }
                for p in group.paths
            ],
        }
        for group in groups
    ]
    data = {"human_states": list(human_states), "states": states, "groups": rows}
    FIXTURE.parent.mkdir(exist_ok=True)
    FIXTURE.write_text(json.dumps(data, ensure_ascii=False, indent=0) + "\n")


def read_groups() -> list[RecordedGroup]:
    """Read the rollouts that `record_trajectories.py` wrote."""
    data = json.loads(FIXTURE.read_text())
    return [
        RecordedGroup(
            group["theorem"],
            tuple(
                RecordedPath(
                    tuple(data["states"][i] for i, _ in path["steps"]),
                    tuple(tactic for _, tactic in path["steps"]),
                    path["proved"],
                )
                for path in group["paths"]
            ),
        )
        for group in data["groups"]
    ]


def read_human_states() -> list[str]:
    """Read the states of human proofs, in order of length."""
    return json.loads(FIXTURE.read_text())["human_states"]


def all_texts() -> list[str]:
    """Every state and tactic of the fixture, to train a tokenizer on."""
    paths = [path for group in read_groups() for path in group.paths]
    return [*read_human_states(), *(text for path in paths for text in (*path.states, *path.tactics))]
