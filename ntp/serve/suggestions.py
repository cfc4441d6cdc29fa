"""Suggestions for the rest of a proof: sampled, tried in the prover, and only what it accepted."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from ntp.bounds import PositiveFloat, PositiveInt
from ntp.policy.prompt import TEMPERATURE, SampleRequest
from ntp.search.best_first import BestFirstSearch
from ntp.search.driver import with_critic_scores
from ntp.search.interface import Budget, Critic, Expansion, Proposer, StepResult
from ntp.seeding import derive_seed
from ntp.serve.buffer import Attempt, Buffer, Position
from ntp.types import ProofState, Proved, Reached, Tactic, Transition

# What a search takes a fixed tactic's probability to be: that of one sample in twenty.
_ONE_SHOT_LOG_PROB = -3.0


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What may be written at a position: the prover has accepted it there.

    Attributes:
        text: One tactic, or several sentences with a line each.
        kind: `proof` if the whole proof is finished with it: the kernel accepted Qed in a replay, and no
            axiom is used that the text does not assume. `tactic` if goals remain.
        goals_after: The goals that remain, printed.
        probability: Calibrated probability that the proof is finished from here; 1 for a proof, None where
            the server is not calibrated.
        source: `policy`, `one_shot` or `search`.
        closes_goal: Whether fewer goals remain than before.
        log_prob: Log-probability under the policy in nats; 0 for tactics that it did not propose.
        log_correct: Log-probability of being correct by the verifiers, in nats; 0 without.
    """

    text: str
    kind: Literal["tactic", "proof"]
    goals_after: tuple[str, ...]
    probability: float | None
    source: str
    closes_goal: bool = False
    log_prob: float = 0.0
    log_correct: float = 0.0


class Calibrator(Protocol):
    """Says how probable it is that a proof is finished after a suggestion."""

    def probability(self, suggestion: Suggestion, num_goals_before: int) -> float:
        """In [0, 1]."""
        ...


@dataclass(frozen=True)
class SuggestionOptions:
    """How suggestions are found.

    Attributes:
        num: Most tactics suggested at a position, where the client does not say.
        deadline_s: Seconds for all suggestions of a request, where the client does not say.
        max_deadline_s: Most seconds that a client may ask for.
        one_shot_tactics: Tactics that are tried at every position, in this order, beside those of the policy.
        closing_tactics: Slow tactics, such as `hammer.` or `sauto.` with what the text requires for them,
            that are tried after those of the policy.
        temperature: Sampling temperature.
        max_depth: Most tactics in a proof that is searched.
        max_expansions: Most states in which tactics are sampled.
    """

    num: PositiveInt = 8
    deadline_s: PositiveFloat = 5.0
    max_deadline_s: PositiveFloat = 60.0
    one_shot_tactics: Sequence[str] = ("auto.", "easy.", "intuition.", "firstorder.")
    closing_tactics: Sequence[str] = ()
    temperature: PositiveFloat = TEMPERATURE
    max_depth: PositiveInt = 12
    max_expansions: PositiveInt = 200


def rank(suggestions: Sequence[Suggestion]) -> list[Suggestion]:
    """Best first: proofs, short ones first; then by probability, what closes a goal, and the policy."""
    return sorted(
        suggestions,
        key=lambda s: (
            s.kind != "proof",
            len(s.text) if s.kind == "proof" else 0,
            -(s.probability or 0.0),
            not s.closes_goal,
            -s.log_prob if s.source == "policy" else float("inf"),
        ),
    )


class Suggester:
    """Finds suggestions in buffers, for any number of clients.

    Args:
        proposer: Proposes tactics; None for the tactics of the options alone.
        options: How they are found.
        critic: Verifiers that say which tactics are correct; None without.
        calibrator: Gives probabilities; None for a server that is not calibrated.
        seed: Seed of all samples.
    """

    def __init__(
        self,
        proposer: Proposer | None,
        options: SuggestionOptions | None = None,
        critic: Critic | None = None,
        calibrator: Calibrator | None = None,
        *,
        seed: int,
    ) -> None:
        self.options = options or SuggestionOptions()
        self.calibrator = calibrator
        self.proposer = proposer
        self.critic = critic
        self.seed = seed
        self._model = threading.Lock()
        self._sampling = ThreadPoolExecutor(1, thread_name_prefix="sampling")

    def suggest(
        self,
        buffer: Buffer,
        position: Position,
        num: int | None = None,
        deadline_s: float | None = None,
        cancel: threading.Event | None = None,
    ) -> Iterator[Suggestion]:
        """Suggestions at a position, as they are found; `rank` puts them in order.

        At most `num` tactics and a whole proof; ends when the proof is found, nothing is left to try, the
        deadline is over, or `cancel` is set. One tactic may take its time limit past the deadline.

        Raises:
            ReplayError: The text is refused before the position.
            NoProofError: No proof is open there, or no goal is in focus.
            ChangedError: The text was changed meanwhile.
            EnvError: The prover cannot start, or repeatedly dies.
        """
        options = self.options
        deadline_s = min(deadline_s or options.deadline_s, options.max_deadline_s)
        ends = time.monotonic() + deadline_s

        def is_over() -> bool:
            return time.monotonic() > ends or (cancel is not None and cancel.is_set())

        if is_over():
            return
        yield from _Request(self, buffer.begin(position), num or options.num, is_over).suggestions()

    def propose(self, requests: Sequence[SampleRequest]) -> list[list[Tactic]]:
        """Tactics of the proposer, which one request at a time uses; none without a proposer."""
        if self.proposer is None:
            return [[] for _ in requests]
        with self._model:
            return self.proposer.sample(requests)

    def start_sampling(self, request: SampleRequest, is_over: Callable[[], bool]) -> Future[list[Tactic]]:
        """Tactics of the proposer for one state, sampled in the background unless nobody waits any more."""
        return self._sampling.submit(lambda: [] if is_over() else self.propose([request])[0])

    def using_model(self) -> threading.Lock:
        """Held while the model computes: it serves one request at a time."""
        return self._model

    def judge(self, state: str, row: Sequence[StepResult]) -> list[StepResult]:
        """Attempts in a state, with the scores of the verifiers if there are any."""
        if self.critic is None:
            return list(row)
        with self._model:
            return with_critic_scores([state], [row], self.critic)[0]

    def with_probability(self, suggestion: Suggestion, num_goals_before: int) -> Suggestion:
        """A suggestion with its calibrated probability, where the server is calibrated."""
        if self.calibrator is None:
            return suggestion
        probability = self.calibrator.probability(suggestion, num_goals_before)
        return replace(suggestion, probability=probability)


@dataclass
class _Request:
    """One search for suggestions: a state is expanded with fixed tactics and those of the policy."""

    suggester: Suggester
    attempt: Attempt
    num: int
    is_over: Callable[[], bool]
    _seen: set[str] = field(default_factory=set)
    _num_tactics: int = 0
    _has_closed: bool = False

    def suggestions(self) -> Iterator[Suggestion]:
        """See `Suggester.suggest`."""
        self._seen.add(self.attempt.root.key)
        search = self._search()
        while not self.is_over() and (expansions := search.select()):
            (expansion,) = expansions
            row: list[StepResult] = []
            for source, batch in self._batches(expansion):
                if self.is_over() or (row and isinstance(row[-1][1], Proved)):
                    break
                tried = self._try(expansion.state, batch)
                row += tried
                yield from self._accepted(source, tried, expansion.state)
            search.observe([row])
            if search.trajectories:
                yield from self._proof(search.trajectories[0].transitions)

    def _search(self) -> BestFirstSearch:
        options = self.suggester.options
        return BestFirstSearch(
            self.attempt.theorem,
            self.attempt.root,
            Budget(self.num * options.max_expansions),
            samples_per_expansion=self.num,
            expansion_price=1.0,
            length_exponent=0.0,
            max_depth=options.max_depth,
            temperature=options.temperature,
            seed=derive_seed(self.suggester.seed, "suggest", self.attempt.root.key),
            verifier_weight=1.0 if self.suggester.critic is not None else 0.0,
        )

    def _batches(self, expansion: Expansion) -> Iterator[tuple[str, list[Tactic]]]:
        """Tactics to try in a state, with their source; what is in one batch is judged together."""
        tried = expansion.exclude or ()
        sampled = tuple(tactic for tactic in tried if tactic.token_ids)
        request = SampleRequest(expansion.state.text, expansion.draws, self.attempt.theorem, sampled)
        job = self.suggester.start_sampling(request, self.is_over)
        known = {tactic.text for tactic in tried}
        options = self.suggester.options
        fixed = deque(text for text in options.one_shot_tactics if text not in known)
        while fixed and not job.done():  # the prover is idle while the model computes
            yield "one_shot", [_fixed(fixed.popleft())]
        proposed = sorted(self._awaited(job), key=lambda tactic: -tactic.log_prob)
        if self.suggester.critic is None:
            yield from (("policy", [tactic]) for tactic in proposed)
        elif proposed:
            yield "policy", proposed
        fixed += (text for text in options.closing_tactics if text not in known)
        yield from (("one_shot", [_fixed(text)]) for text in fixed)

    def _awaited(self, job: Future[list[Tactic]]) -> list[Tactic]:
        """What a model proposes; nothing if that takes too long."""
        while not self.is_over():
            with contextlib.suppress(TimeoutError):
                return job.result(timeout=0.05)
        return []

    def _try(self, state: ProofState, tactics: Sequence[Tactic]) -> list[StepResult]:
        row: list[StepResult] = []
        for tactic in tactics:
            if self.is_over():
                break
            row.append((tactic, self.attempt.step(state, tactic.text)))
            if isinstance(row[-1][1], Proved):
                break
        return self.suggester.judge(state.text, row)

    def _accepted(self, source: str, tried: Sequence[StepResult], state: ProofState) -> Iterator[Suggestion]:
        """Suggest what made progress at the position, and the first way to close its goal in several."""
        root = self.attempt.root
        for tactic, outcome in tried:
            if not isinstance(outcome, Reached) or outcome.state.key in self._seen:
                continue
            at_root = state.handle == root.handle
            goals = printed_goals(outcome.state)
            closes = len(goals) < len(printed_goals(root))
            if self._num_tactics >= self.num or not (at_root or (closes and not self._has_closed)):
                continue
            self._seen.add(outcome.state.key)
            self._num_tactics += 1
            self._has_closed = self._has_closed or closes
            script = [tactic.text.strip()] if at_root else self.attempt.script(state, tactic.text)
            suggestion = Suggestion(
                "\n".join(script),
                "tactic",
                goals,
                None,
                source if at_root else "search",
                closes,
                tactic.log_prob if at_root and source == "policy" else 0.0,
                tactic.log_correct,
            )
            yield self.suggester.with_probability(suggestion, len(printed_goals(root)))

    def _proof(self, transitions: Sequence[Transition]) -> Iterator[Suggestion]:
        """Suggest a whole proof if it is accepted once more, in a replay."""
        last = transitions[-1]
        script = self.attempt.script(last.state, last.tactic.text)
        if self.attempt.check(script).accepted:
            source = "search"
            if len(transitions) == 1:
                source = "policy" if last.tactic.token_ids else "one_shot"
            log_prob = math.fsum(t.tactic.log_prob for t in transitions if t.tactic.token_ids)
            yield Suggestion("\n".join(script), "proof", (), 1.0, source, True, log_prob)


def _fixed(text: str) -> Tactic:
    return Tactic(text, log_prob=_ONE_SHOT_LOG_PROB)


def printed_goals(state: ProofState) -> tuple[str, ...]:
    """All goals of a state; none where only a brace has to be closed or goals were given up before."""
    return (str(state.goal), *state.other_goals) if state.goal.conclusion else state.other_goals
