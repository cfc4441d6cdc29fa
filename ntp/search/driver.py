"""The interface of searches and their budgets, and the driver that runs searches of many theorems together.

Tactics of all searches are sampled in one batch and executed in parallel; a critic, if there is one, then
scores every tactic that reached a state.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from ntp.envs.pool import EnvPool, PooledSession, plan_lanes
from ntp.errors import ConfigError, InitError
from ntp.policy.prompt import SampleRequest, SamplingParams
from ntp.types import Outcome, ProofState, Reached, Tactic, Theorem


class Proposer(Protocol):
    """Anything that proposes tactics: a policy, or a fixed list of them."""

    def sample(self, requests: Sequence[SampleRequest]) -> list[list[Tactic]]:
        """Propose one tactic per entry of `draws` of every request, in order.

        Without replacement (`SampleRequest.exclude`) there may be fewer.
        """
        ...


class Critic(Protocol):
    """Anything that scores tactics: an ensemble of verifiers."""

    def log_correct(self, states: Sequence[str], tactics: Sequence[Sequence[str]]) -> list[list[float]]:
        """Log-probability that each tactic leads to a provable state.

        Args:
            states: S states, as the policy reads them.
            tactics: For each state, N_s tactics.

        Returns:
            For each state, N_s log-probabilities in nats, finite.
        """
        ...


@dataclass(frozen=True, slots=True)
class Expansion:
    """A request for tactics to try in `state`: one per entry of `draws`.

    Attributes:
        state: The state.
        draws: Parameters of each sample.
        exclude: None for independent samples; see `SampleRequest`.
    """

    state: ProofState
    draws: tuple[SamplingParams, ...]
    exclude: tuple[Tactic, ...] | None = None


StepResult = tuple[Tactic, Outcome]


NO_LIMIT = None


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits on the search for one theorem; the first one reached ends it.

    Attributes:
        max_samples: Tactics sampled from the policy.
        max_env_steps: Tactics that the prover runs; None for no limit.
        max_seconds: Wall time since the theorem was opened; None for no limit. Results then depend on the
            machine.

    Raises:
        ConfigError: A limit is below 1.
    """

    max_samples: int
    max_env_steps: int | None = NO_LIMIT
    max_seconds: float | None = NO_LIMIT

    def __post_init__(self) -> None:
        for name in ("max_samples", "max_env_steps", "max_seconds"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ConfigError(f"budget {name}={value} allows no tactic: give a number above 0")


@dataclass(slots=True)
class Usage:
    """The resources that one search has used.

    Attributes:
        num_samples: Tactics sampled.
        num_env_steps: Tactics that the prover ran: none that the guard refused or that had been run before.
        started: When the theorem was opened, on the monotonic clock.
        cost_s: This theorem's share of the process's time in seconds, as assigned by `Charges`.
    """

    num_samples: int = 0
    num_env_steps: int = 0
    started: float = field(default_factory=time.monotonic)
    cost_s: float = 0.0

    def within(self, budget: Budget) -> bool:
        """Whether the budget is not spent yet."""
        return (
            self.num_samples < budget.max_samples
            and (budget.max_env_steps is None or self.num_env_steps < budget.max_env_steps)
            and (budget.max_seconds is None or time.monotonic() - self.started < budget.max_seconds)
        )


class Search(Protocol):
    """The search for proofs of one theorem, driven in rounds by `ntp.search.driver`."""

    theorem: Theorem
    usage: Usage

    def select(self) -> list[Expansion]:
        """The states to expand in the next round; empty when the search is over."""
        ...

    def observe(self, attempts: Sequence[Sequence[StepResult]]) -> None:
        """Take in the results of the last `select`: per expansion, each tactic with its outcome, in order."""
        ...


class Charges:
    """Assigns elapsed time to searches: each call of `charge` the time since the last one."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def charge(self, weights: Sequence[tuple[Usage, float]]) -> None:
        """Divide the time since the last call.

        Args:
            weights: The usages to add to, each with its weight, not negative. If empty, the time is left for
                the next call.
        """
        if not weights:
            return
        now = time.perf_counter()
        seconds, self._last = now - self._last, now
        total = sum(weight for _, weight in weights)
        for usage, weight in weights:
            usage.cost_s += seconds * (weight / total if total > 0 else 1 / len(weights))


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
        theorems: The theorems to prove; each at most once.
        make_search: Builds the search of a theorem from its root state.
        proposer: Proposes the tactics.
        pool: Executes them.
        on_finished: Called as soon as a theorem is finished, to report progress and save results early.
        critic: Scores the tactics that reached a state; None for no scores.

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
    """Open a theorem in every free slot; continue with the next one if it cannot be opened."""
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
    requests = [SampleRequest(e.state.text, e.draws, active[slot][1].theorem, e.exclude) for slot, e in flat]
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
        rows = with_critic_scores([expansion.state.text for _, expansion in flat], rows, critic)
        charges.charge(lengths)
    attempts = {slot: [] for slot in selected}
    for (slot, _), row in zip(flat, rows, strict=True):
        attempts[slot].append(row)
    for slot, observed in attempts.items():
        session, search = active[slot]
        search.usage.num_samples += sum(map(len, observed))
        search.usage.num_env_steps = session.num_env_steps
        search.observe(observed)


def with_critic_scores(
    states: Sequence[str], rows: Sequence[Sequence[StepResult]], critic: Critic
) -> list[list[StepResult]]:
    """Add the critic's score to every tactic that reached a state; searches rank no others.

    Args:
        states: As the policy reads them; several may be equal.
        rows: The attempts in each state.
        critic: Called at most once, with each text of a state once.

    Returns:
        The same attempts, with `Tactic.log_correct` set if a state was reached.
    """
    asked: dict[str, dict[str, None]] = {}  # ordered sets, so that equal rounds make equal calls
    for state, row in zip(states, rows, strict=True):
        for tactic, outcome in row:
            if isinstance(outcome, Reached):
                asked.setdefault(state, {})[tactic.text] = None
    answers = critic.log_correct(list(asked), [list(texts) for texts in asked.values()]) if asked else []
    scores = {
        (state, text): score
        for (state, texts), answer in zip(asked.items(), answers, strict=True)
        for text, score in zip(texts, answer, strict=True)
    }

    def judged(state: str, attempt: StepResult) -> StepResult:
        tactic, outcome = attempt
        if not isinstance(outcome, Reached):
            return attempt
        return replace(tactic, log_correct=scores[state, tactic.text]), outcome

    return [[judged(state, attempt) for attempt in row] for state, row in zip(states, rows, strict=True)]
