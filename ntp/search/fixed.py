"""Tactics that need no model: the floor that a policy has to beat."""

from __future__ import annotations

from collections.abc import Sequence

from ntp.policy.requests import SampleRequest
from ntp.types import Tactic


class FixedTactics:
    """Proposes the same tactics in every state: the i-th draw of a request gets the i-th, cyclically."""

    def __init__(self, tactics: Sequence[str]) -> None:
        self.tactics = tuple(tactics)

    def sample(self, requests: Sequence[SampleRequest]) -> list[list[Tactic]]:
        """One tactic per draw, whatever the state."""
        num = len(self.tactics)
        return [[Tactic(self.tactics[i % num]) for i in range(len(r.draws))] for r in requests]
