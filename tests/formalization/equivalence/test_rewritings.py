import random

import pytest

from ntp.formalization.equivalence.rewritings import DIFFERENT, EQUIVALENT
from ntp.formalization.equivalence.telescope import Item, Telescope, parse, relation

TEXTS = [
    "forall (A : Type) (l l' : list A), P l -> forall n : nat, Q (fun x => x) /\\ l <> l' -> n <= 3 <-> n = 3",  # noqa: E501
    "forall n : nat, n = 0 \\/ n <= S n",
    "A -> (B -> C) -> exists x : nat, x = 3 -> D",
    "forall (P : nat -> Prop) (n : nat), P n",
    "True",
]


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_read_is_written_as_before(text):
    assert str(parse(text)) == text


def test_parts_of_a_statement():
    statement = parse(TEXTS[0])
    assert [item.name for item in statement.items] == ["A", "l", "l'", "", "n", ""]
    assert [statement.items[i].text for i in statement.hypotheses] == ["P l", "Q (fun x => x) /\\ l <> l'"]
    assert statement.conclusion == "n <= 3 <-> n = 3"
    assert parse(TEXTS[2]) == Telescope((Item("", "A"), Item("", "(B -> C)")), "exists x : nat, x = 3 -> D")
    assert parse("forall '(x, y), x = y") is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a = b", "="),
        ("a = b <-> c = d", "<->"),
        ("a = b /\\ c", None),
        ("~ a = b", None),
        ("exists x, x = a", None),
        ("f (a = b)", None),
        ("a = b = c", None),
        ("(a <-> b) <-> c", "<->"),
    ],
)
def test_only_the_loosest_relation_is_turned(text, found):
    token = relation(text, ("=", "<>", "<->"))
    assert (token.text if token else None) == found


STATEMENT = parse("forall (a b : nat) (c : list nat), a <= b -> In b c -> a = b /\\ b <> 0 -> f a b = 1")


def change(kind, statement=STATEMENT, seed=0):
    changed = {**EQUIVALENT, **DIFFERENT}[kind](statement, random.Random(seed))
    return None if changed is None else str(changed)


@pytest.mark.parametrize("kind", sorted(set(EQUIVALENT) | set(DIFFERENT) - {"quantifier"}))
def test_a_change_is_seeded_and_changes(kind):
    assert change(kind) == change(kind)
    assert change(kind) not in (None, str(STATEMENT))


@pytest.mark.parametrize("seed", range(20))
def test_a_permutation_keeps_every_part_behind_what_it_needs(seed):
    permuted = parse(change("permuted", seed=seed) or str(STATEMENT))
    assert sorted(map(str, permuted.items)) == sorted(map(str, STATEMENT.items))
    assert permuted.conclusion == STATEMENT.conclusion
    bound = set()
    for item in permuted.items:
        assert all(name in bound for name in "abc" if item.mentions(name))
        bound.add(item.name)


def test_changes_say_what_they_should():
    assert change("turned", parse("forall n : nat, n + 0 = n")) == "forall n : nat, n = n + 0"
    assert change("turned", parse("forall n : nat, P n <-> (exists m : nat, m = n)")) == (
        "forall n : nat, (exists m : nat, m = n) <-> P n"
    )
    assert change("curried", parse("P -> Q -> R")) == "(P) /\\ (Q) -> R"
    assert change("curried", parse("P /\\ Q -> R")) == "(P) -> (Q) -> R"
    assert change("dropped", parse("P -> Q")) == "Q"
    assert change("flipped", parse("forall n : nat, n < S n")) == "forall n : nat, n >= S n"
    assert change("off_by_one", parse("f = 7")) == "f = 8"
    assert change("off_by_one", parse("forall n : nat, f n")) == "forall n : nat, f (S n)"
    swaps = {change("quantifier", parse("forall n : nat, exists m : nat, n < m"), seed) for seed in range(9)}
    assert swaps == {
        "forall n : nat, forall m : nat, n < m",
        "exists m : nat, forall n : nat, n < m",
    }


def test_a_name_is_changed_wherever_it_stands():
    renamed = change("renamed", parse("forall x y : nat, g x (fun x => x) = y"))
    x, y = parse(renamed).items
    assert len({x.name, y.name, "x", "y"}) == 4
    assert renamed == f"forall {x.name} {y.name} : nat, g {x.name} (fun {x.name} => {x.name}) = {y.name}"


@pytest.mark.parametrize("kind", ["permuted", "curried", "dropped", "quantifier", "turned"])
def test_what_cannot_be_changed_is_left(kind):
    assert change(kind, parse("True")) is None
