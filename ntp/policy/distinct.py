"""Sampling without replacement: the tactics of a request differ from one another and from earlier ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ntp.policy.prompt import SampleRequest
from ntp.types import Tactic

# Per request, a sample for each draw, none that is excluded; None where there is no other tactic.
SampleNew = Callable[[Sequence[SampleRequest]], list[list[Tactic | None]]]

# A pass finds at least one token sequence, but some of them may have the text of another.
_MAX_SPARE_PASSES = 16


def sample_distinct(requests: Sequence[SampleRequest], sample_new: SampleNew) -> list[list[Tactic]]:
    """Sample tactics, without replacement where a request asks for it.

    The samples of one pass may repeat one another, so the draws of those that do are made again in another
    pass that excludes what the earlier passes have found, until every draw has a tactic of its own.

    Args:
        requests: What to sample. Passes of several requests are made together.
        sample_new: Makes one pass.

    Returns:
        Per request, its tactics; fewer than its draws where the policy has no others.
    """
    found: list[list[Tactic]] = [[] for _ in requests]
    known = [_Known(request.exclude or ()) for request in requests]
    left = dict(enumerate(requests))
    most_draws = max((len(request.draws) for request in requests), default=0)
    for _ in range(most_draws + _MAX_SPARE_PASSES):
        if not left:
            break
        again: dict[int, SampleRequest] = {}
        for (index, request), row in zip(left.items(), sample_new(list(left.values())), strict=True):
            if request.exclude is None:
                found[index] = [tactic for tactic in row if tactic is not None]
                continue
            repeated = []
            for draw, tactic in zip(request.draws, row, strict=True):
                # A draw that found nothing would find nothing again.
                if tactic is not None and known[index].add(tactic):
                    found[index].append(tactic)
                elif tactic is not None:
                    repeated.append(draw)
            if repeated:
                again[index] = replace(request, draws=tuple(repeated), exclude=known[index].tactics)
        left = again
    return found


class _Known:
    """Tactics that are not to be sampled again, and their texts."""

    def __init__(self, tactics: Sequence[Tactic]) -> None:
        self._tactics = {tactic.token_ids: tactic for tactic in tactics}
        self._texts = {tactic.text for tactic in tactics}

    @property
    def tactics(self) -> tuple[Tactic, ...]:
        """One tactic for each token sequence."""
        return tuple(self._tactics.values())

    def add(self, tactic: Tactic) -> bool:
        """Note a tactic; returns whether its text is new."""
        is_new = tactic.text not in self._texts
        self._tactics[tactic.token_ids] = tactic
        self._texts.add(tactic.text)
        return is_new
