import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntp.envs.lean.goals import parse_goals, split_goals
from ntp.types import Goal


def printed(goals):
    return "\n\n".join(map(str, goals))


def test_goals_are_parted_from_each_other_and_hypotheses_from_conclusions():
    state = (
        "case inl\nα : Type u_1\ninst✝ : Group α\nh :\n  a long type\n    over lines\n⊢ a = b ∨\n    c\n\n"
        "case inr.intro\nx y : ℕ\n⊢ ∀ z, z ⊢ w"
    )
    assert parse_goals(state) == (
        Goal(
            ("case inl", "α : Type u_1", "inst✝ : Group α", "h :\n  a long type\n    over lines"),
            "a = b ∨\n    c",
        ),
        Goal(("case inr.intro", "x y : ℕ"), "∀ z, z ⊢ w"),
    )
    assert printed(parse_goals(state)) == state


def test_a_header_may_be_followed_by_a_blank_line():
    state = "case zero\n\n⊢ f 0 = 1\n\ncase succ\nn : ℕ\n⊢ f (n + 1) = 1"
    goals = parse_goals(state)
    assert [goal.conclusion for goal in goals] == ["f 0 = 1", "f (n + 1) = 1"]
    assert printed(goals) == state


def test_no_goals():
    assert parse_goals("no goals") == ()


def test_a_goal_of_conv_keeps_its_bar():
    assert parse_goals("a b : ℕ\n| a + b") == (Goal(("a b : ℕ",), "| a + b"),)


LINES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r"), max_size=12)
GOALS = st.tuples(st.lists(LINES, max_size=4), LINES, st.lists(LINES, max_size=2))


@given(st.lists(GOALS, min_size=1, max_size=4))
def test_printing_reproduces_whatever_has_turnstiles(goals):
    state = "\n\n".join("\n".join([*before, f"⊢ {first}", *rest]) for before, first, rest in goals)
    assert printed(parse_goals(state)) == state


@pytest.mark.parametrize("side", ["train", "val", "test"])
def test_printing_reproduces_every_state_of_the_benchmark(shared_data, side):
    path = shared_data("leandojo_benchmark_4_sample") / f"random/{side}.json"
    tactics = [t for theorem in json.loads(path.read_text()) for t in theorem["traced_tactics"]]
    states = {t[key] for t in tactics for key in ("state_before", "state_after")} - {"no goals"}
    assert len(states) > 100
    for state in states:
        goals = parse_goals(state)
        assert printed(goals) == state
        # A blank line behind `case x` belongs to the goal.
        assert len(goals) == sum(line.startswith("⊢ ") for line in state.splitlines())
        assert all(line.strip() for goal in goals for line in goal.hypotheses)


@pytest.mark.parametrize(
    ("printed", "goals"),
    [
        ("no goals", ()),
        ("⊢ Nat", ("⊢ Nat",)),
        ("t : Nat\n⊢ Nat", ("t : Nat\n⊢ Nat",)),
        ("case left\np : Prop\n⊢ p\ncase right\n⊢ q", ("case left\np : Prop\n⊢ p", "case right\n⊢ q")),
        ("⊢ p\n⊢ q", ("⊢ p", "⊢ q")),
        ("h : a\n  b\n⊢ c ∧\n    d\nx : e\n⊢ f", ("h : a\n  b\n⊢ c ∧\n    d", "x : e\n⊢ f")),
        ("n : ℕ\n| n + 0", ("n : ℕ\n| n + 0",)),
    ],
)
def test_goals_that_are_printed_one_after_the_other(printed, goals):
    assert split_goals(printed) == goals
