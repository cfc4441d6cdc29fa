import pytest

from ntp.envs.pool import EnvPool
from ntp.envs.script import PlainSyntax
from ntp.envs.toy import ToyEnv, ToyNode, toy_theorem
from ntp.errors import InitError
from ntp.modules.minimal_proofs import ProofMinimizer
from ntp.modules.rollout import Group, Origin, Rollout
from ntp.types import Proved, Status

# "a" changes nothing that matters, and may be left out before "b"; before "a b" it may not.
LEAF = ToyNode("b", {"b": Proved(), "a": ToyNode("a", {"b": Proved()})})
ENV = ToyEnv({"T": ToyNode("a", {"a": LEAF, "b": Proved()}), "split": ToyNode("a b", {"a": (LEAF, LEAF)})})


def proof(states, tactics, status=Status.PROVED, origin=Origin.ON_POLICY) -> Rollout:
    return Rollout(states, tactics, tuple((9,) for _ in tactics), status, origin, ((),) * len(tactics))


@pytest.fixture
def minimal(oracle):
    policy = oracle.make_policy(seed=0)

    def replaced(*groups, minimizer=None):
        minimizer = minimizer or ProofMinimizer(policy, PlainSyntax())
        with EnvPool(lambda: ENV, num_workers=2) as pool:
            return minimizer.minimal(groups, pool)

    replaced.policy = policy
    return replaced


def test_padding_is_dropped_and_states_are_those_of_the_minimal_script(minimal):
    padded = proof(("⊢ a", "⊢ b", "⊢ a"), ("a", "a", "b"), origin=Origin.TEMPERED)
    failed = proof(("⊢ a", "⊢ b"), ("a", "zzz"), Status.STUCK)
    error = InitError("no such theorem")
    group, same_error = minimal(Group(toy_theorem("T"), "⊢ a", (padded, failed)), error)
    first, second = group.attempts
    assert (first.tactics, first.states, first.unread) == (("b",), ("⊢ a",), ((),))
    assert first.token_ids == (minimal.policy.encode_tactic("b"),)
    assert first.origin is Origin.TEMPERED and first.status is Status.PROVED
    assert second is failed and same_error is error


def test_goals_behind_the_first_are_those_of_the_minimal_script(minimal):
    padded = proof(("⊢ a b", "⊢ b", "⊢ a", "⊢ b"), ("a", "a", "b", "b"))
    (group,) = minimal(Group(toy_theorem("split"), "⊢ a b", (padded,)))
    (attempt,) = group.attempts
    assert (attempt.tactics, attempt.states) == (("a", "b", "b"), ("⊢ a b", "⊢ b", "⊢ b"))
    assert attempt.unread == ((), ("⊢ b",), ())


def test_a_minimal_proof_stays_as_it_is_and_is_looked_at_once(minimal, monkeypatch):
    minimizer = ProofMinimizer(minimal.policy, PlainSyntax())
    group = Group(toy_theorem("T"), "⊢ a", (proof(("⊢ a",), ("b",)),) * 2)
    assert minimal(group, minimizer=minimizer) == [group]
    monkeypatch.setattr(EnvPool, "check_proofs", lambda *_: pytest.fail("asked again"))
    assert minimal(group, minimizer=minimizer) == [group]
