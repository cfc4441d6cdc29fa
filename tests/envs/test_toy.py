import itertools

import pytest

from ntp.envs.toy import ToyEnv, ToyNode, enumerate_trajectories, toy_theorem
from ntp.errors import InitError
from ntp.types import Crashed, Proved, Reached, Status, Tactic, TacticError, Timeout

TREE = ToyNode(
    "start",
    {
        "a": ToyNode("left", {"a": ToyNode("deep", {"b": Proved()}), "b": Proved()}),
        "b": ToyNode("right", {"a": Timeout(), "b": Crashed("out of memory")}),
        "c c": Proved(),
    },
)
ENV = ToyEnv({"T": TREE})
THEOREM = toy_theorem("T")
WORDS = [Tactic(text) for text in ("a", "b", "c c", "d")]


def test_words_do_what_the_tree_says():
    session = ENV.open(THEOREM)
    reached = session.step(session.root, " a ")
    assert isinstance(reached, Reached)
    assert reached.state.text == "⊢ left"
    assert session.step(reached.state, "b") == Proved()
    assert isinstance(session.step(reached.state, "c c"), TacticError)
    assert session.step(session.root, "c c") == Proved()


def test_any_earlier_state_can_be_stepped_again():
    session = ENV.open(THEOREM)
    left, right = (session.step(session.root, word) for word in "ab")
    assert isinstance(left, Reached)
    assert isinstance(right, Reached)
    assert session.step(right.state, "a") == Timeout()
    assert session.step(left.state, "b") == Proved()


def test_unknown_theorem():
    with pytest.raises(InitError, match="no toy theorem 'U'"):
        ENV.open(toy_theorem("U"))


@pytest.mark.parametrize(
    ("tactics", "accepted"),
    [
        (["a", "b"], True),
        (["c c"], True),
        (["a"], False),
        (["a", "b", "b"], False),
        (["d"], False),
        ([], False),
    ],
)
def test_verify_replays(tactics, accepted):
    assert ENV.check_proof(THEOREM, tactics).accepted is accepted


@pytest.mark.parametrize("max_depth", [1, 2, 3])
def test_enumeration_is_a_partition_of_all_word_sequences(max_depth: int):
    """Every sequence of `max_depth` words starts with exactly one enumerated trajectory."""
    trajectories = enumerate_trajectories(ENV, THEOREM, WORDS, max_depth)
    for words in itertools.product([w.text for w in WORDS], repeat=max_depth):
        assert sum(words[: len(t.tactics)] == t.tactics for t in trajectories) == 1


def test_enumeration_knows_how_trajectories_end():
    status = {t.tactics: t.status for t in enumerate_trajectories(ENV, THEOREM, WORDS, max_depth=2)}
    assert status["a", "b"] is Status.PROVED
    assert status["a", "a"] is Status.TRUNCATED
    assert status["b", "a"] is Status.TIMEOUT
    assert status["b", "b"] is Status.CRASHED
    assert status["d",] is Status.STUCK
    assert len(status) == 2 + 4 + 4


def test_proofs_of_the_enumeration_verify():
    for trajectory in enumerate_trajectories(ENV, THEOREM, WORDS, max_depth=3):
        assert ENV.check_proof(THEOREM, trajectory.tactics).accepted == (trajectory.status is Status.PROVED)


def test_goals_are_proved_one_after_the_other():
    leaf = ToyNode("leaf", {"b": Proved(), "a": ToyNode("last", {"b": Proved()})})
    env = ToyEnv({"T": ToyNode("both", {"a": (leaf, leaf), "b": Timeout()})})
    session = env.open(THEOREM)
    both = session.step(session.root, "a").state
    assert (both.text, both.other_goals) == ("⊢ leaf", ("⊢ leaf",))
    one = session.step(both, "b").state
    assert (one.text, one.other_goals) == ("⊢ leaf", ())
    assert session.step(one, "b") == Proved()
    assert session.step(both, "a").state.key == "⊢ last\n\n⊢ leaf"
    assert env.check_proof(THEOREM, ("a", "a", "b", "b")).accepted
    assert not env.check_proof(THEOREM, ("a", "b")).accepted
