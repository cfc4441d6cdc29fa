"""Trajectories to train on: from the policy, from the tempered policy, and from replayed proofs."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

import torch
from torch import Tensor

from ntp.bounds import NonNegativeInt, PositiveFloat, PositiveInt
from ntp.buffers.replay import ReplayBuffer, ReplayProof
from ntp.envs.pool import EnvPool
from ntp.errors import ConfigError, InitError
from ntp.policy.policy import TacticPolicy
from ntp.policy.prompt import SamplingParams, ScoreRequest
from ntp.search.driver import search_theorems
from ntp.search.interface import Proposer
from ntp.search.sampling import SamplingSearch
from ntp.seeding import derive_seed
from ntp.types import ProofState, Status, Theorem, Trajectory


class Origin(StrEnum):
    """Which part of the behaviour policy a trajectory came from."""

    ON_POLICY = "on_policy"
    TEMPERED = "tempered"
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
        log_ref: log pi_ref of the whole trajectory, if already computed.
        log_odds: The verifiers' log-odds of the tactic that the reward names, if they scored it.
    """

    states: tuple[str, ...]
    tactics: tuple[str, ...]
    token_ids: tuple[tuple[int, ...], ...]
    status: Status
    origin: Origin
    log_ref: float | None = None
    log_odds: tuple[float, ...] = ()


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
    theorems: Sequence[Theorem], policy: Proposer, pool: EnvPool, behaviour: RolloutConfig, seed: int
) -> list[Group | InitError]:
    """Roll out every theorem in lock step.

    Args:
        theorems: Each at most once.
        policy: Samples tactics.
        pool: Executes them.
        behaviour: How many attempts, at which temperatures.
        seed: Seed of all samples, together with the theorem's id.

    Returns:
        In the order of `theorems`, the attempts, or why the theorem could not be opened.
    """

    def make_search(theorem: Theorem, root: ProofState) -> SamplingSearch:
        return SamplingSearch(theorem, root, behaviour.draws(seed, theorem.id), behaviour.max_depth)

    groups: list[Group | InitError] = []
    for search in search_theorems(theorems, make_search, policy, pool):
        if isinstance(search, InitError):
            groups.append(search)
            continue
        attempts = (
            _attempt(trajectory, Origin.ON_POLICY if i < behaviour.num_on_policy else Origin.TEMPERED)
            for i, trajectory in enumerate(search.trajectories)
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
        Rollout(p.states, p.tactics, p.token_ids, Status.PROVED, Origin.REPLAY, p.log_ref) for p in proofs
    )
    return Group(group.theorem, group.root, (*group.attempts, *replayed))


class Scorer(Protocol):
    """Anything that gives tactics a log-probability: a policy or a prior."""

    def score(self, requests: Sequence[ScoreRequest]) -> Tensor:
        """Log P of every tactic of every request, flat and in order, in nats."""
        ...


def score_paths(scorer: Scorer, paths: Sequence[Rollout | ReplayProof]) -> Tensor:
    """Log-probability of whole trajectories, (N,) in nats, the stop token of every tactic included."""
    steps = [step for path in paths for step in zip(path.states, path.token_ids, strict=True)]
    log_p_S = scorer.score([ScoreRequest(state, (tactic,)) for state, tactic in steps])
    owner_S = torch.tensor(
        [n for n, path in enumerate(paths) for _ in path.states], dtype=torch.long, device=log_p_S.device
    )
    return log_p_S.new_zeros(len(paths)).index_add(0, owner_S, log_p_S)
