"""Runs many searches in lock step, so that generation is batched over theorems and provers work in parallel.

A round is one `Proposer.sample` over the expansions of all open searches, one `EnvPool.step_many` and, where
there is a critic, at most one `Critic.log_correct`. What a round contains depends only on earlier outcomes,
never on timing, so results are a function of the seeds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

from ntp.envs.pool import EnvPool, PooledSession, plan_lanes
from ntp.errors import InitError
from ntp.policy.prompt import SampleRequest
from ntp.search.base import Charges, Critic, Expansion, Proposer, Search
from ntp.search.beliefs import with_beliefs
from ntp.types import ProofState, Theorem

S = TypeVar("S", bound=Search)


def search_theorems(
    theorems: Sequence[Theorem],
    make_search: Callable[[Theorem, ProofState], S],
    proposer: Proposer,
    pool: EnvPool,
    on_finished: Callable[[Theorem, S | InitError], None] | None = None,
    critic: Critic | None = None,
) -> list[S | InitError]:
    """Search every theorem, as many at a time as the pool has workers.

    Args:
        theorems: What to prove; each at most once.
        make_search: Builds the search of a theorem from its root state.
        proposer: Proposes the tactics.
        pool: Runs them.
        on_finished: Called as soon as a theorem is done, for progress and for saving results early.
        critic: Believes more or less in the tactics that reached a state; None to ask nobody.

    Returns:
        In the order of `theorems`, the finished search, or why the theorem could not be opened.
    """
    results: dict[str, S | InitError] = {}

    def finish(theorem: Theorem, result: S | InitError) -> None:
        results[theorem.id] = result
        if on_finished is not None:
            on_finished(theorem, result)

    queues = [deque(lane) for lane in plan_lanes(theorems, pool.num_workers)]
    active: dict[int, tuple[PooledSession, S]] = {}
    charges = Charges()
    try:
        while True:
            _fill_slots(queues, active, make_search, pool, finish, charges)
            if not active:
                break
            selected = {slot: search.select() for slot, (_, search) in active.items()}
            for slot in [slot for slot, expansions in selected.items() if not expansions]:
                session, search = active.pop(slot)
                session.close()
                finish(search.theorem, search)
            _run_round({slot: selected[slot] for slot in active}, active, proposer, pool, critic, charges)
    finally:
        for session, _ in active.values():
            session.close()
    return [results[theorem.id] for theorem in theorems]


def _fill_slots(
    queues: Sequence[deque[Theorem]],
    active: dict[int, tuple[PooledSession, S]],
    make_search: Callable[[Theorem, ProofState], S],
    pool: EnvPool,
    finish: Callable[[Theorem, S | InitError], None],
    charges: Charges,
) -> None:
    """Open the next theorem of every free slot, again where one could not be opened."""
    while vacant := [slot for slot, queue in enumerate(queues) if slot not in active and queue]:
        theorems = [queues[slot].popleft() for slot in vacant]
        opened = []
        for slot, theorem, session in zip(vacant, theorems, pool.open_many(theorems), strict=True):
            if isinstance(session, InitError):
                finish(theorem, session)
            else:
                active[slot] = (session, make_search(theorem, session.root))
                opened.append((active[slot][1].usage, session.busy_s))
        charges.charge(opened)


def _run_round(
    selected: dict[int, list[Expansion]],
    active: dict[int, tuple[PooledSession, S]],
    proposer: Proposer,
    pool: EnvPool,
    critic: Critic | None,
    charges: Charges,
) -> None:
    flat = [(slot, expansion) for slot, expansions in selected.items() for expansion in expansions]
    requests = [SampleRequest(e.state.text, e.draws, active[slot][1].theorem) for slot, e in flat]
    proposals = proposer.sample(requests)
    lengths = [
        (active[slot][1].usage, len(expansion.state.text) + sum(len(tactic.text) for tactic in tactics))
        for (slot, expansion), tactics in zip(flat, proposals, strict=True)
    ]
    charges.charge(lengths)
    steps = [
        (active[slot][0], expansion.state, tactic.text)
        for (slot, expansion), tactics in zip(flat, proposals, strict=True)
        for tactic in tactics
    ]
    busy_before = {slot: session.busy_s for slot, (session, _) in active.items()}
    outcomes = iter(pool.step_many(steps))
    charges.charge([(s.usage, session.busy_s - busy_before[slot]) for slot, (session, s) in active.items()])
    rows = [[(tactic, next(outcomes)) for tactic in tactics] for tactics in proposals]
    if critic is not None:
        rows = with_beliefs([expansion.state.text for _, expansion in flat], rows, critic)
        charges.charge(lengths)
    attempts = {slot: [] for slot in selected}
    for (slot, _), row in zip(flat, rows, strict=True):
        attempts[slot].append(row)
    for slot, observed in attempts.items():
        active[slot][1].observe(observed)
