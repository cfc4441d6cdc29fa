"""Other proposers than policies: fixed tactics, given first tactics, and retrieved premises before states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ntp.policy.prompt import SampleRequest
from ntp.retrieval.augmentation import Augmentation
from ntp.search.interface import Proposer
from ntp.types import Tactic


class AugmentedProposer:
    """Adds retrieved premises to the states that another proposer reads.

    Args:
        proposer: Proposes tactics.
        augmentation: Retrieves premises and formats them.
    """

    def __init__(self, proposer: Proposer, augmentation: Augmentation) -> None:
        self._proposer = proposer
        self._augmentation = augmentation

    def sample(self, requests: Sequence[SampleRequest]) -> list[list[Tactic]]:
        """One tactic per entry of `draws` of every request, in order.

        Raises:
            ValueError: A request does not name its theorem.
            DataError: The accessible premises of a theorem are unknown.
        """
        theorems = [request.theorem for request in requests if request.theorem is not None]
        if len(theorems) < len(requests):
            raise ValueError("a request without its theorem: the accessible premises are unknown")
        states = self._augmentation([request.state for request in requests], theorems)
        return self._proposer.sample(
            [replace(request, state=state) for request, state in zip(requests, states, strict=True)]
        )


class Beginning:
    """Another proposer, but a draw that names its tactic (`SamplingParams.first`) gets that tactic.

    Args:
        proposer: Proposes the tactics of all other draws.
    """

    def __init__(self, proposer: Proposer) -> None:
        self._proposer = proposer

    def sample(self, requests: Sequence[SampleRequest]) -> list[list[Tactic]]:
        """One tactic per entry of `draws` of every request, in order; a given one has log-probability 0."""
        free = [
            replace(request, draws=tuple(draw for draw in request.draws if draw.first is None))
            for request in requests
        ]
        asked = [request for request in free if request.draws]
        sampled = iter(self._proposer.sample(asked) if asked else [])
        rows = []
        for request, rest in zip(requests, free, strict=True):
            own = iter(next(sampled) if rest.draws else [])
            rows.append([next(own) if d.first is None else Tactic(d.first) for d in request.draws])
        return rows


class FixedTactics:
    """Proposes the same tactics in every state: sample i of a request is tactic i, cyclically."""

    def __init__(self, tactics: Sequence[str]) -> None:
        self.tactics = tuple(tactics)

    def sample(self, requests: Sequence[SampleRequest]) -> list[list[Tactic]]:
        """One tactic per sample, independent of the state; without replacement, the first that are left."""
        rows = []
        for request in requests:
            texts = self.tactics
            if request.exclude is not None:
                excluded = {tactic.text for tactic in request.exclude}
                texts = [text for text in dict.fromkeys(texts) if text not in excluded]
            num = len(request.draws) if request.exclude is None else min(len(request.draws), len(texts))
            rows.append([Tactic(texts[i % len(texts)]) for i in range(num)])
        return rows
