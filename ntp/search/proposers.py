"""Proposers that are no policies: a fixed list of tactics, and one that reads premises before the state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ntp.policy.prompt import SampleRequest
from ntp.retrieval.augmentation import Augmentation
from ntp.search.driver import Proposer
from ntp.types import Tactic


class AugmentedProposer:
    """Puts retrieved premises in front of states before another proposer sees them.

    Args:
        proposer: Proposes tactics.
        augmentation: Retrieves premises and lays them out.
    """

    def __init__(self, proposer: Proposer, augmentation: Augmentation) -> None:
        self._proposer = proposer
        self._augmentation = augmentation

    def sample(self, requests: Sequence[SampleRequest]) -> list[list[Tactic]]:
        """One tactic per draw of every request, in order.

        Raises:
            ValueError: A request does not say whose proof its state belongs to.
            DataError: What a theorem may use is unknown.
        """
        theorems = [request.theorem for request in requests if request.theorem is not None]
        if len(theorems) < len(requests):
            raise ValueError("a request without its theorem: what it may use is unknown")
        states = self._augmentation([request.state for request in requests], theorems)
        return self._proposer.sample(
            [replace(request, state=state) for request, state in zip(requests, states, strict=True)]
        )


class FixedTactics:
    """Proposes the same tactics in every state: the i-th draw of a request gets the i-th, cyclically."""

    def __init__(self, tactics: Sequence[str]) -> None:
        self.tactics = tuple(tactics)

    def sample(self, requests: Sequence[SampleRequest]) -> list[list[Tactic]]:
        """One tactic per draw, whatever the state."""
        num = len(self.tactics)
        return [[Tactic(self.tactics[i % num]) for i in range(len(r.draws))] for r in requests]
