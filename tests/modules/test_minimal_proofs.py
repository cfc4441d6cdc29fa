from dataclasses import dataclass

import pytest

from ntp.envs.pool import EnvPool
from ntp.envs.script import PlainSyntax
from ntp.envs.toy import ToyEnv, ToyNode, toy_theorem
from ntp.errors import InitError
from ntp.modules.minimal_proofs import ProofMinimizer
from ntp.modules.rollout import Group, Origin, Rollout
from ntp.types import Proved, Reached, Status, Tactic, Theorem, Trajectory, Transition

# "a" changes nothing that matters, and may be left out before "b"; before "a b" it may not.
LEAF = ToyNode("b", {"b": Proved(), "a": ToyNode("a", {"b": Proved()})})
ENV = ToyEnv({"T": ToyNode("a", {"a": LEAF, "b": Proved()}), "split": ToyNode("a b", {"a": (LEAF, LEAF)})})


def proof(theorem, tactics, status=Status.PROVED) -> Trajectory:
    session = ENV.open(theorem)
    transitions, state = [], session.root
    for word in tactics:
        outcome = session.step(state, word)
        transitions.append(Transition(state, Tactic(word, (9,)), outcome))
        state = outcome.state if isinstance(outcome, Reached) else state
    return Trajectory(theorem, tuple(transitions), status)


@dataclass
class Found:
    """What a search has found."""

    theorem: Theorem
    trajectories: list[Trajectory]


def rollout(trajectory, origin=Origin.ON_POLICY) -> Rollout:
    steps = trajectory.transitions
    return Rollout(
        tuple(step.state.text for step in steps),
        trajectory.tactics,
        tuple(step.tactic.token_ids for step in steps),
        trajectory.status,
        origin,
        tuple(step.state.unread_goals for step in steps),
    )


@pytest.fixture
def minimizer(oracle):
    return ProofMinimizer(oracle.make_policy(seed=0), PlainSyntax())


def learn(minimizer, theorem, *trajectories):
    with EnvPool(lambda: ENV, num_workers=1) as pool:
        (session,) = pool.open_many([theorem])
        before = session.num_env_steps
        minimizer.learn(session, Found(theorem, list(trajectories)))
        return session.num_env_steps - before


def test_padding_is_dropped_and_states_are_those_of_the_minimal_script(minimizer, oracle):
    theorem = toy_theorem("T")
    padded, failed = proof(theorem, ("a", "a", "b")), proof(theorem, ("a", "zzz"), Status.STUCK)
    learn(minimizer, theorem, padded, failed)
    stuck, error = rollout(failed), InitError("no such theorem")
    group = Group(theorem, "⊢ a", (rollout(padded, Origin.TEMPERED), stuck))
    (replaced, same_error) = minimizer.minimal([group, error])
    first, second = replaced.attempts
    assert (first.tactics, first.states, first.unread) == (("b",), ("⊢ a",), ((),))
    assert first.token_ids == (oracle.make_policy(seed=0).encode_tactic("b"),)
    assert first.origin is Origin.TEMPERED and first.status is Status.PROVED and first.rewritten
    assert second is stuck and same_error is error


def test_goals_behind_the_first_are_those_of_the_minimal_script(minimizer):
    theorem = toy_theorem("split")
    padded = proof(theorem, ("a", "a", "b", "b"))
    learn(minimizer, theorem, padded)
    (group,) = minimizer.minimal([Group(theorem, "⊢ a b", (rollout(padded),))])
    (attempt,) = group.attempts
    assert (attempt.tactics, attempt.states) == (("a", "b", "b"), ("⊢ a b", "⊢ b", "⊢ b"))
    assert attempt.unread == ((), ("⊢ b",), ())


def test_a_minimal_proof_stays_as_it_is_and_each_is_looked_at_once(minimizer):
    theorem = toy_theorem("T")
    shortest = proof(theorem, ("b",))
    assert learn(minimizer, theorem, shortest, shortest) > 0
    assert learn(minimizer, theorem, shortest) == 0
    group = Group(theorem, "⊢ a", (rollout(shortest),) * 2)
    assert minimizer.minimal([group]) == [group]


def test_a_script_that_the_policy_cannot_write_is_not_taken(oracle):
    long = "a b a"
    env = ToyEnv({"T": ToyNode("a", {"a": ToyNode("b", {long: Proved()}), long: Proved()})})
    theorem = toy_theorem("T")
    minimizer = ProofMinimizer(oracle.make_policy(seed=0), PlainSyntax())
    with EnvPool(lambda: env, num_workers=1) as pool:
        (session,) = pool.open_many([theorem])
        first = session.submit(session.root, "a").result()
        steps = (
            Transition(session.root, Tactic("a"), first),
            Transition(first.state, Tactic(long), Proved()),
        )
        padded = Trajectory(theorem, steps, Status.PROVED)
        minimizer.learn(session, Found(theorem, [padded]))
    group = Group(theorem, "⊢ a", (rollout(padded),))
    assert minimizer.minimal([group]) == [group]
