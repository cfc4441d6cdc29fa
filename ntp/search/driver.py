"""The driver that runs searches of many theorems together.

Theorems are searched in crews that take turns. Tactics of all searches of a crew are sampled in one batch and
executed in parallel; a critic, if there is one, then scores every tactic that reached a state.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from ntp.envs.pool import EnvPool, PooledSession, close_opened, plan_lanes, results_of
from ntp.errors import InitError
from ntp.policy.prompt import SampleRequest
from ntp.search.interface import Critic, Expansion, Proposer, Search, StepResult, Usage
from ntp.types import Outcome, ProofState, Reached, Tactic, Theorem, run_tactic


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
    num_crews: int | None = None,
    before_close: Callable[[PooledSession, S], None] | None = None,
) -> list[S | InitError]:
    """Search every theorem, as many at a time as the pool has workers.

    Args:
        theorems: The theorems to prove; each at most once.
        make_search: Builds the search of a theorem from its root state.
        proposer: Proposes the tactics.
        pool: Executes them.
        on_finished: Called as soon as a theorem is finished, to report progress and save results early.
        critic: Scores the tactics that reached a state; None for no scores.
        num_crews: Groups of theorems that take turns: while the provers work for one, the proposer samples
            for another, in smaller batches. None for what suits the proposer's device.
        before_close: Called when a search is finished, while its theorem is still open.

    Returns:
        In the order of `theorems`, the finished search, or why the theorem could not be opened.
    """
    results: dict[str, S | InitError] = {}

    def finish(theorem: Theorem, result: S | InitError) -> None:
        results[theorem.id] = result
        if on_finished is not None:
            on_finished(theorem, result)

    queues = [deque(lane) for lane in plan_lanes(theorems, pool.num_workers)]
    num_crews = num_crews or suitable_crews(proposer)
    charges = Charges()
    crews = [
        _Crew(queues[i::num_crews], make_search, proposer, pool, finish, before_close, critic, charges)
        for i in range(num_crews)
    ]
    try:
        # Which theorems a crew has and the order of turns are fixed, so results do not depend on timing.
        while not all(crew.done for crew in crews):
            for crew in crews:
                crew.turn()
    finally:
        for crew in crews:
            crew.close()
    return [results[theorem.id] for theorem in theorems]


def suitable_crews(proposer: Proposer) -> int:
    """Two for a policy that computes on the processor, else one.

    A processor samples for half the theorems in half the time; a GPU needs about as long as for all of them.
    """
    device = getattr(proposer, "device", None)
    return 2 if device is not None and device.type == "cpu" else 1


@dataclass(frozen=True, slots=True)
class _Round:
    """Tactics that the provers run.

    Attributes:
        expansions: Each with the slot of its search.
        proposals: The tactics of each.
        jobs: The outcomes of all of them, in order.
        busy_before: Seconds that each slot's worker had spent on its theorem before.
    """

    expansions: Sequence[tuple[int, Expansion]]
    proposals: Sequence[Sequence[Tactic]]
    jobs: Sequence[Future[Outcome]]
    busy_before: dict[int, float]


class _Crew(Generic[S]):
    """Theorems whose searches advance together, one in each slot.

    In a turn the crew takes in what the provers have done since its last turn, and gives them new work.
    """

    def __init__(
        self,
        queues: Sequence[deque[Theorem]],
        make_search: Callable[[Theorem, ProofState], S],
        proposer: Proposer,
        pool: EnvPool,
        finish: Callable[[Theorem, S | InitError], None],
        before_close: Callable[[PooledSession, S], None] | None,
        critic: Critic | None,
        charges: Charges,
    ) -> None:
        self._queues = queues
        self._make_search, self._proposer, self._pool, self._finish = make_search, proposer, pool, finish
        self._before_close, self._critic, self._charges = before_close, critic, charges
        self._active: dict[int, tuple[PooledSession, S]] = {}
        self._opening: dict[int, tuple[Theorem, Future[PooledSession | InitError]]] = {}
        self._round: _Round | None = None

    @property
    def done(self) -> bool:
        """Whether every theorem is finished."""
        return not (self._active or self._opening or any(self._queues))

    def turn(self) -> None:
        """Take in outcomes and opened theorems, open the next ones, and have new tactics run."""
        self._take_in()
        selected = {slot: search.select() for slot, (_, search) in self._active.items()}
        for slot in [slot for slot, expansions in selected.items() if not expansions]:
            session, search = self._active[slot]
            if self._before_close is not None:
                self._before_close(session, search)
            del self._active[slot]
            session.close()
            self._finish(search.theorem, search)
        self._open_next()
        if self._active:
            self._propose([(slot, e) for slot in self._active for e in selected[slot]])

    def close(self) -> None:
        """Free the workers, at any time."""
        close_opened([job for _, job in self._opening.values()])
        for session, _ in self._active.values():
            session.close()

    def _open_next(self) -> None:
        vacant = [
            slot
            for slot, queue in enumerate(self._queues)
            if queue and slot not in self._active and slot not in self._opening
        ]
        theorems = [self._queues[slot].popleft() for slot in vacant]
        for slot, theorem, job in zip(vacant, theorems, self._pool.submit_opens(theorems), strict=True):
            self._opening[slot] = (theorem, job)

    def _propose(self, expansions: Sequence[tuple[int, Expansion]]) -> None:
        requests = [
            SampleRequest(e.state.text, e.draws, self._active[slot][1].theorem, e.exclude)
            for slot, e in expansions
            if not e.given
        ]
        sampled = iter(self._proposer.sample(requests) if requests else ())
        proposals = [list(e.given) or next(sampled) for _, e in expansions]
        self._charges.charge(self._lengths(expansions, proposals))
        busy_before = {slot: session.busy_s for slot, (session, _) in self._active.items()}
        jobs = [
            self._active[slot][0].submit(e.state, tactic.text)
            for (slot, e), tactics in zip(expansions, proposals, strict=True)
            for tactic in tactics
        ]
        self._round = _Round(expansions, proposals, jobs, busy_before)

    def _take_in(self) -> None:
        """Wait for what the provers were given in the last turn."""
        opening, self._opening = self._opening, {}
        ran, self._round = self._round, None
        try:
            sessions = results_of([job for _, job in opening.values()])
            outcomes = results_of(ran.jobs) if ran else []
        except BaseException:
            self._opening = opening
            raise
        spent = [
            (search.usage, session.busy_s - ran.busy_before[slot])
            for slot, (session, search) in self._active.items()
            if ran is not None
        ]
        for (slot, (theorem, _)), session in zip(opening.items(), sessions, strict=True):
            if isinstance(session, InitError):
                self._finish(theorem, session)
            else:
                self._active[slot] = (session, self._make_search(theorem, session.root))
                spent.append((self._active[slot][1].usage, session.busy_s))
        self._charges.charge(spent)
        if ran is not None:
            self._observe(ran, outcomes)

    def _observe(self, ran: _Round, outcomes: Sequence[Outcome]) -> None:
        """Tell the searches what became of their tactics."""
        following = iter(outcomes)
        rows = [[_attempt(tactic, next(following)) for tactic in tactics] for tactics in ran.proposals]
        if self._critic is not None:
            rows = with_critic_scores([e.state.text for _, e in ran.expansions], rows, self._critic)
            self._charges.charge(self._lengths(ran.expansions, ran.proposals))
        attempts: dict[int, list[Sequence[StepResult]]] = {}
        for (slot, _), row in zip(ran.expansions, rows, strict=True):
            attempts.setdefault(slot, []).append(row)
        for slot, observed in attempts.items():
            session, search = self._active[slot]
            search.usage.num_samples += sum(map(len, observed))
            search.usage.num_env_steps = session.num_env_steps
            search.usage.cpu_s = session.cpu_s
            search.observe(observed)

    def _lengths(
        self, expansions: Sequence[tuple[int, Expansion]], proposals: Sequence[Sequence[Tactic]]
    ) -> list[tuple[Usage, float]]:
        """Number of characters that the proposer read and wrote for each expansion."""
        return [
            (self._active[slot][1].usage, len(e.state.text) + sum(len(tactic.text) for tactic in tactics))
            for (slot, e), tactics in zip(expansions, proposals, strict=True)
        ]


def _attempt(tactic: Tactic, outcome: Outcome) -> StepResult:
    return run_tactic(tactic, outcome), outcome


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
