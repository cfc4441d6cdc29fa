import pytest

from ntp.data.coq.names import candidate_names, hypothesis_names
from ntp.types import Goal


@pytest.mark.parametrize(
    ("tactic", "names"),
    [
        ("apply foo.", "foo"),
        ("apply Nat.add_comm, bar; auto.", "Nat.add_comm bar"),
        ("rewrite <- foo, bar at 2 by (apply baz).", "foo bar baz"),
        ("left; apply left.", "left"),
        ("split; [apply foo | now right | split].", "foo"),
        ("first [ apply foo | split ]; try (left; exact bar).", "foo bar"),
        ("do 2 split; repeat left.", ""),
        ("all: split.", ""),
        ("2-3: apply foo.", "foo"),
        ("intros fst snd; apply foo.", "foo"),
        ("intros [fst|snd]%foo bar.", "foo"),
        ("destruct (foo x) as [fst snd]; exact fst.", "foo x"),
        ("destruct foo as (left, right), bar; rewrite (baz left right).", "foo bar baz"),
        ("auto with bool arith.", ""),
        ("auto using foo with bool; apply bar.", "foo bar"),
        ("apply foo with bool.", "foo bool"),
        ("apply foo with (n := m).", "foo m"),
        ("exact (fun x y : T => foo x).", "T foo"),
        ("assert (H : forall x, P x) by apply foo.", "P foo"),
        ("change (x + y)%Z with z.", "x y z"),
        ("exact (h1 x).", "x"),
        ("exact (foo : T).", "foo T"),
        ("assert (foo : T); apply foo.", "T"),
        ("pose (x := foo).", "foo"),
        ("intuition reflexivity.", ""),
        ('idtac "foo bar".', ""),
        ("apply (* bar *) foo.", "foo"),
        ("exists [a; b].", "a b"),
        ("apply @foo; apply foo.", "foo"),
    ],
)
def test_names_that_may_be_premises(tactic, names):
    assert " ".join(candidate_names(tactic, {"h1"})) == names


def test_hypothesis_names():
    goal = Goal(("n, m : nat", "x := 3 : nat", "H : forall y : nat, y = y"), "True")
    assert hypothesis_names([goal, Goal(("é' : nat",), "True")]) == {"n", "m", "x", "H", "é'"}
    assert hypothesis_names([]) == set()
