"""Theorems that are the same, or nearly."""

import random

from ntp.data.duplicates import Member, duplicate_groups, leaks, shingles
from ntp.data.records import StepRecord, TheoremRecord
from ntp.types import Goal, Span, Theorem

NOWHERE = Span(0, 0)


def theorem(name, statement, *tactics):
    goal = Goal((), f"the goal of {name}")
    steps = tuple(StepRecord(t, NOWHERE, goal, 0, None, 0, ()) for t in tactics)
    return Member(
        name,
        TheoremRecord(Theorem(name, "F.v", statement, NOWHERE, NOWHERE), "coq", "F", "Lemma", "Qed", steps),
    )


def test_names_of_variables_do_not_tell_theorems_apart():
    members = [
        theorem("a", "Lemma a : forall n m : nat, n + m = m + n.", "ring."),
        theorem("b", "Theorem b : forall x  y : nat, x + y = y + x.", "apply add_comm."),
        theorem("c", "Lemma c : forall n m : nat, n + m = n + m.", "reflexivity."),
        theorem("d", "Lemma d (i j : nat) : i + j = j + i.", "lia."),
        theorem("e", "Lemma e (k l : nat) : k + l = l + k.", "now rewrite add_comm."),
    ]
    assert duplicate_groups(members) == {"a": "a", "b": "a", "c": "c", "d": "d", "e": "d"}


def test_nearly_equal_proofs_are_duplicates_and_their_duplicates_too():
    words = [f"apply lemma_{i}" for i in range(60)]
    other = [*words[:57], "apply one", "apply two", "apply three"]
    members = [
        theorem("a", "Lemma a : A.", "; ".join(words) + "."),
        theorem("b", "Lemma b : A'.", "; ".join(other) + "."),
        theorem("c", "Lemma c : C.", "; ".join(words[:20]) + "."),
    ]
    one, two = shingles(members[0].record), shingles(members[1].record)
    assert len(one & two) / len(one | two) > 0.8
    assert duplicate_groups(members) == {"a": "a", "b": "a", "c": "c"}


def test_estimates_find_what_a_comparison_of_all_pairs_finds():
    rng = random.Random(0)
    members = []
    for family in range(12):
        tactics = [f"tac_{rng.randrange(1000)} x" for _ in range(80)]
        for copy in range(3):
            changed = list(tactics)
            for _ in range(copy):  # 0, 1 or 2 of 80 differ: similarity above .85
                changed[rng.randrange(80)] = f"tac_{rng.randrange(1000)} y"
            name = f"t{family}_{copy}"
            members.append(theorem(name, f"Lemma {name} : P {family} {copy}.", *changed))
    groups = duplicate_groups(members)
    assert all(groups[member.id] == f"{member.id.partition('_')[0]}_0" for member in members)


def test_leaks_are_what_shares_a_group_with_another_part():
    groups = {"a": "a", "b": "a", "c": "c", "d": "c", "e": "e"}
    parts = {"a": "test", "b": "train", "c": "dev", "d": "test", "e": "test"}
    assert leaks(parts, groups) == {"a", "d"}
