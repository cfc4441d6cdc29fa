"""Trajectories to train on: from the policy, from the tempered policy, and from replayed proofs.

What a group lacks is added step by step: replayed proofs, the prior, the verifiers' scores.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

import torch
from torch import Tensor

from ntp.bounds import NonNegativeInt, PositiveFloat, PositiveInt
from ntp.buffers.replay import ReplayBuffer, ReplayProof
from ntp.envs.pool import EnvPool, PooledSession
from ntp.errors import ConfigError, InitError
from ntp.policy.policy import TacticPolicy
from ntp.policy.prompt import SamplingParams, ScoreRequest
from ntp.rewards.base import Reward, RewardComponents
from ntp.search.driver import search_theorems
from ntp.search.interface import Proposer
from ntp.search.sampling import SamplingSearch
from ntp.seeding import derive_seed
from ntp.types import ProofState, Status, Theorem, Trajectory


class Origin(StrEnum):
    """Which part of the behaviour policy a trajectory came from."""

    ON_POLICY = "on_policy"
    TEMPERED = "tempered"
    RESTARTED = "restarted"
    REPLAY = "replay"


@dataclass(frozen=True, slots=True)
class Rollout:
    """A trajectory as objectives need it.

    Attributes:
        states: Text of the state that each tactic was applied to.
        tactics: Text of each tactic.
        token_ids: Tokens of each tactic, without the stop token.
        status: How it ended.
        origin: Where it came from.
        unread: The goals that stood behind the one that each tactic was applied to.
        log_ref_T: log pi_ref of each tactic, in nats, if already computed.
        log_odds: The verifiers' log-odds of the tactic that the reward names, if they scored it.
        rewritten: Whether it is the minimal script of what was sampled, and not that itself.
    """

    states: tuple[str, ...]
    tactics: tuple[str, ...]
    token_ids: tuple[tuple[int, ...], ...]
    status: Status
    origin: Origin
    unread: tuple[tuple[str, ...], ...]
    log_ref_T: tuple[float, ...] | None = None
    log_odds: tuple[float, ...] = ()
    rewritten: bool = False

    @property
    def log_ref(self) -> float:
        """Log pi_ref of the whole trajectory, in nats.

        Raises:
            ValueError: It was not computed yet.
        """
        if self.log_ref_T is None:
            raise ValueError("the prior of this trajectory was not computed")
        return sum(self.log_ref_T)


@dataclass(frozen=True, slots=True)
class Group:
    """All attempts at one theorem in a training step."""

    theorem: Theorem
    root: str
    attempts: tuple[Rollout, ...]

    @property
    def solved(self) -> bool:
        """Whether a proof is among the attempts."""
        return any(attempt.status is Status.PROVED for attempt in self.attempts)


@dataclass(frozen=True, slots=True)
class RolloutConfig:
    """The composition of a group.

    Args:
        num_on_policy: Trajectories sampled from the policy at temperature 1.
        num_tempered: Trajectories sampled at other temperatures, each chosen uniformly at random.
        num_restarts: Most further trajectories, each from the state in which another one got stuck.
        num_replay: Maximum number of proofs replayed from the buffer, besides those just found.
        temperature_min: Lowest temperature of a tempered trajectory.
        temperature_max: Highest temperature of a tempered trajectory.
        max_depth: Maximum number of tactics in a trajectory.

    Raises:
        ConfigError: Nothing would be sampled, or the temperatures are not a range above 0.
    """

    num_on_policy: NonNegativeInt = 6
    num_tempered: NonNegativeInt = 0
    num_replay: NonNegativeInt = 2
    temperature_min: PositiveFloat = 0.8
    temperature_max: PositiveFloat = 1.4
    max_depth: PositiveInt = 5
    num_restarts: NonNegativeInt = 0

    def __post_init__(self) -> None:
        if min(self.num_on_policy, self.num_tempered, self.num_replay) < 0:
            raise ConfigError("module: num_on_policy, num_tempered and num_replay cannot be negative")
        if self.num_on_policy + self.num_tempered < 1:
            raise ConfigError("module: num_on_policy and num_tempered are both 0, so nothing is ever sampled")
        if not 0 < self.temperature_min <= self.temperature_max:
            raise ConfigError(
                f"module: temperatures {self.temperature_min} to {self.temperature_max}: give a range above 0"
            )
        if self.max_depth < 1:
            raise ConfigError(f"module.max_depth={self.max_depth} allows no tactic: give at least 1")

    def origin(self, index: int) -> Origin:
        """Where the trajectory with a given place in its group comes from."""
        if index < self.num_on_policy:
            return Origin.ON_POLICY
        return Origin.TEMPERED if index < self.num_on_policy + self.num_tempered else Origin.RESTARTED

    def draws(self, *seed: int | str) -> list[SamplingParams]:
        """Seed and temperature of each sampled trajectory, the on-policy ones first; a function of `seed`."""
        on_policy = [SamplingParams(derive_seed(*seed, i)) for i in range(self.num_on_policy)]
        tempered = []
        for i in range(self.num_on_policy, self.num_on_policy + self.num_tempered):
            draw_seed = derive_seed(*seed, i)
            temperature = random.Random(draw_seed).uniform(self.temperature_min, self.temperature_max)
            tempered.append(SamplingParams(draw_seed, temperature))
        return on_policy + tempered


def sample_groups(
    theorems: Sequence[Theorem],
    policy: Proposer,
    pool: EnvPool,
    behaviour: RolloutConfig,
    seed: int,
    before_close: Callable[[PooledSession, SamplingSearch], None] | None = None,
) -> list[Group | InitError]:
    """Roll out every theorem in lock step.

    Args:
        theorems: Each at most once.
        policy: Samples tactics.
        pool: Executes them.
        behaviour: How many attempts, at which temperatures.
        seed: Seed of all samples, together with the theorem's id.
        before_close: Called with the attempts at a theorem while it is still open.

    Returns:
        In the order of `theorems`, the attempts, or why the theorem could not be opened.
    """

    def make_search(theorem: Theorem, root: ProofState) -> SamplingSearch:
        draws = behaviour.draws(seed, theorem.id)
        return SamplingSearch(theorem, root, draws, behaviour.max_depth, num_restarts=behaviour.num_restarts)

    groups: list[Group | InitError] = []
    for search in search_theorems(theorems, make_search, policy, pool, before_close=before_close):
        if isinstance(search, InitError):
            groups.append(search)
            continue
        attempts = (
            _attempt(trajectory, behaviour.origin(i)) for i, trajectory in enumerate(search.trajectories)
        )
        groups.append(Group(search.theorem, search.root.text, tuple(attempts)))
    return groups


def _attempt(trajectory: Trajectory, origin: Origin) -> Rollout:
    return Rollout(
        states=tuple(t.state.text for t in trajectory.transitions),
        tactics=trajectory.tactics,
        token_ids=tuple(t.tactic.token_ids for t in trajectory.transitions),
        status=trajectory.status,
        origin=origin,
        unread=tuple(t.state.unread_goals for t in trajectory.transitions),
    )


def with_canonical_tokens(group: Group, policy: TacticPolicy) -> Group:
    """The group with the tokens that the tokenizer gives each tactic's text.

    A reward belongs to what the prover was sent. A text that is sampled as other tokens would otherwise be
    another trajectory with a reward of its own.
    """
    attempts = (
        replace(a, token_ids=tuple(map(policy.canonical_ids, a.tactics, a.token_ids))) for a in group.attempts
    )
    return replace(group, attempts=tuple(attempts))


def with_replay(group: Group, buffer: ReplayBuffer, num_replay: int, seed: int) -> Group:
    """The group plus up to `num_replay` proofs from the buffer that are not in it yet."""
    proofs = buffer.sample(
        group.theorem.id,
        num_replay,
        derive_seed(seed, "replay", group.theorem.id),
        exclude={attempt.tactics for attempt in group.attempts},
    )
    replayed = (
        Rollout(p.states, p.tactics, p.token_ids, Status.PROVED, Origin.REPLAY, p.unread, p.log_ref_T)
        for p in proofs
    )
    return Group(group.theorem, group.root, (*group.attempts, *replayed))


def without_failures(group: Group) -> Group:
    """The group with its proofs only."""
    return replace(group, attempts=tuple(a for a in group.attempts if a.status is Status.PROVED))


def with_prior(groups: Sequence[Group], score: Callable[[Sequence[Rollout]], Tensor]) -> list[Group]:
    """Give every new attempt its log-probability under the reference.

    Args:
        groups: Attempts that come from the buffer have theirs.
        score: Log-probabilities of the tactics of trajectories, (N, T) in nats.
    """
    new = [attempt for group in groups for attempt in group.attempts if attempt.log_ref_T is None]
    with torch.no_grad():
        log_ref = iter(score(new).tolist() if new else [])

    def scored(attempt: Rollout) -> Rollout:
        if attempt.log_ref_T is not None:
            return attempt
        return replace(attempt, log_ref_T=tuple(next(log_ref)[: len(attempt.tactics)]))

    return [replace(group, attempts=tuple(map(scored, group.attempts))) for group in groups]


def with_verifier_scores(
    groups: Sequence[Group], reward: Reward, log_odds: Callable[[Sequence[tuple[str, str]]], Tensor]
) -> list[Group]:
    """Let the verifiers score the tactic that the reward names of each attempt.

    Args:
        groups: The groups.
        reward: Says which tactic, if any.
        log_odds: Log-odds of tactics in their states, (N, K); called only if the reward names any.
    """

    def step_of(attempt: Rollout) -> int | None:
        return reward.scored_step(attempt.status, len(attempt.tactics))

    asked = [
        (attempt.states[step], attempt.tactics[step])
        for group in groups
        for attempt in group.attempts
        if (step := step_of(attempt)) is not None
    ]
    if not asked:
        return list(groups)
    scores = map(tuple, log_odds(asked).tolist())
    return [
        replace(
            group,
            attempts=tuple(
                a if step_of(a) is None else replace(a, log_odds=next(scores)) for a in group.attempts
            ),
        )
        for group in groups
    ]


def store_proofs(groups: Sequence[Group], buffer: ReplayBuffer) -> None:
    """Keep the proofs that are not from the buffer, which must have been scored under the reference."""
    for group in groups:
        for attempt in group.attempts:
            if attempt.status is Status.PROVED and attempt.origin is not Origin.REPLAY:
                assert attempt.log_ref_T is not None
                num_sampled = int(attempt.origin is Origin.ON_POLICY and not attempt.rewritten)
                path = (attempt.states, attempt.tactics, attempt.token_ids)
                proof = ReplayProof(*path, attempt.log_ref_T, attempt.unread, num_sampled)
                buffer.add(group.theorem.id, proof)


def log_anchor_of(group: Group, buffer: ReplayBuffer, reward: Reward, step: int) -> float:
    """Logsumexp of log R over the distinct known proofs of a theorem, in nats; minus infinity without any.

    Args:
        group: Attempts at the theorem.
        buffer: Proofs of earlier steps.
        reward: Its log R of a proof must need no verifiers.
        step: The training step.
    """
    log_ref = {proof.key: proof.log_ref for proof in buffer.proofs(group.theorem.id)}
    for attempt in group.attempts:
        if attempt.status is Status.PROVED:
            log_ref[attempt.tactics] = attempt.log_ref
    log_reward = [
        reward.log_reward(RewardComponents(value, Status.PROVED), step) for value in log_ref.values()
    ]
    return torch.tensor(log_reward or [-torch.inf], dtype=torch.float64).logsumexp(0).item()


class Scorer(Protocol):
    """Anything that gives tactics a log-probability: a policy or a prior."""

    def score(self, requests: Sequence[ScoreRequest]) -> Tensor:
        """Log P of every tactic of every request, flat and in order, in nats."""
        ...


def score_steps(scorer: Scorer, paths: Sequence[Rollout | ReplayProof], num_steps: int = 0) -> Tensor:
    """Log-probability of each tactic of trajectories, its stop token included.

    Args:
        scorer: Gives the log-probabilities.
        paths: The N trajectories.
        num_steps: Width to pad to, where the longest is shorter.

    Returns:
        (N, T) in nats, 0 in the padding.
    """
    requests = [
        ScoreRequest(state, (tactic,))
        for path in paths
        for state, tactic in zip(path.states, path.token_ids, strict=True)
    ]
    log_p_S = scorer.score(requests)
    mask_NT = step_mask(paths, num_steps).to(log_p_S.device)
    return log_p_S.new_zeros(mask_NT.shape).masked_scatter(mask_NT, log_p_S)


def step_mask(paths: Sequence[Rollout | ReplayProof], num_steps: int = 0) -> Tensor:
    """Which of T steps each trajectory has, (N, T); see `score_steps`."""
    length_N = torch.tensor([len(path.states) for path in paths], dtype=torch.long)
    width = max([num_steps, *length_N.tolist()])
    return torch.arange(width) < length_N[:, None]


def score_paths(scorer: Scorer, paths: Sequence[Rollout | ReplayProof]) -> Tensor:
    """Log-probability of whole trajectories, (N,) in nats, the stop token of every tactic included."""
    return score_steps(scorer, paths).sum(1)
