import threading
import time
from dataclasses import replace

import pytest

from ntp.serve.buffer import ChangedError, Position
from ntp.serve.suggestions import Suggester, Suggestion, rank
from tests.serve.conftest import OPTIONS, Scripted, at_end, suggest

pytestmark = pytest.mark.coq

OPEN = "Lemma a (n m : nat) : n = m -> n + 0 = n /\\ m = n.\nProof.\n"


def texts(found, kind="tactic"):
    return [s.text for s in found if s.kind == kind]


def test_only_accepted_tactics_that_change_something_are_suggested_once(make_buffer):
    buffer = make_buffer(OPEN)
    proposals = (
        "intro H.",
        "nonsense.",
        "idtac.",
        "intros H.",
        "intro.",
        "split.",
        "admit.",
        "intro H. split.",
    )
    no_fixed = replace(OPTIONS, one_shot_tactics=(), max_expansions=1)
    found = suggest(buffer, *proposals, options=no_fixed)
    # `intros H` and `intro` lead where `intro H` does; `split` needs an introduction, which it makes.
    assert texts(found) == ["intro H.", "split."]
    assert found[0].goals_after == ("n, m : nat\nH : n = m\n⊢ n + 0 = n /\\ m = n",)
    assert all(s.source == "policy" and s.probability is None for s in found)


def test_a_whole_proof_is_found_by_search_and_accepted_when_written(make_buffer):
    buffer = make_buffer(OPEN)
    exact = replace(OPTIONS, one_shot_tactics=())
    found = suggest(
        buffer, "intro H.", "split.", "symmetry.", "exact H.", "apply eq_sym, plus_n_O.", options=exact
    )
    (proof,) = texts(found, "proof")
    assert len(proof.splitlines()) > 1
    buffer.edit(f"{OPEN}{proof}\nQed.\n")
    assert buffer.check().accepted and buffer.check().axioms == ()


def test_bullets_are_written_where_a_goal_in_focus_is_closed(make_buffer):
    text = "Lemma a : (1 = 1 /\\ 2 = 2) /\\ 3 = 3.\nProof. split.\n- split.\n  + "
    buffer = make_buffer(text)
    found = suggest(buffer)
    assert found[0].text == "auto." and found[0].closes_goal and found[0].kind == "tactic"
    (proof,) = texts(found, "proof")
    assert proof.splitlines() == ["auto.", "+", "auto.", "-", "auto."]
    buffer.edit(f"{text}{proof}\nQed.\n")
    assert buffer.check().accepted
    text = "Lemma a : 1 = 1 /\\ 2 = 2.\nProof. split. { "
    buffer.edit(text)
    (proof,) = texts(suggest(buffer), "proof")
    assert proof.splitlines() == ["auto.", "}", "auto."]


def test_the_goal_before_an_admit_is_closed_although_others_are_given_up(make_buffer):
    buffer = make_buffer("Lemma a : 1 = 2 /\\ 2 = 2.\nProof. split.\n- admit.\n- ")
    (found,) = suggest(buffer)
    assert (found.text, found.kind, found.closes_goal, found.goals_after) == ("auto.", "tactic", True, ())


@pytest.mark.parametrize(
    ("text", "tactic"),
    [
        ("Lemma a : 1 = 2.\nProof.\n", "exact_no_check I."),
        ("Lemma a : 1 = 2 /\\ True.\nProof. split.\n", "vm_cast_no_check I."),
        ("Lemma a : forall n : nat, n = 0.\nProof. fix IH 1.\n", "exact IH."),
        ("Lemma a : (forall n : nat, n = 0) /\\ True.\nProof. split. fix IH 1.\n", "exact IH."),
        ("Axiom f : False.\nLemma g : False. Proof. exact f. Qed.\nLemma a : 1 = 2.\nProof.\n", "give_up."),
        ("Lemma a : 1 = 2.\nProof.\n", "1: shelve."),
    ],
)
def test_nothing_is_suggested_that_the_kernel_would_refuse(make_buffer, text, tactic):
    assert suggest(make_buffer(text), tactic, options=replace(OPTIONS, one_shot_tactics=())) == []


def test_proofs_use_no_axioms_but_those_the_text_assumes(make_buffer):
    text = "Require Import Classical.\nLemma a (P : Prop) : P \\/ ~ P.\nProof.\n"
    exact = replace(OPTIONS, one_shot_tactics=())
    assert suggest(make_buffer(text), "apply classic.", options=exact) == []
    assumed = text.replace("Require Import Classical.", "Axiom classic : forall P, P \\/ ~ P.")
    (found,) = suggest(make_buffer(assumed), "apply classic.", options=exact)
    assert (found.kind, found.text, found.probability) == ("proof", "apply classic.", 1.0)


def test_suggestions_come_as_they_are_found_and_end_when_cancelled(make_buffer):
    buffer, cancel = make_buffer(OPEN), threading.Event()
    slow = Scripted("intro H.", "do 1000000 (idtac; pose 1).", "split.")
    found = Suggester(slow, OPTIONS, seed=0).suggest(buffer, at_end(buffer), cancel=cancel)
    assert next(found).text == "intro H."
    cancel.set()
    assert list(found) == []
    cancelled = Suggester(slow, OPTIONS, seed=0).suggest(buffer, at_end(buffer), cancel=cancel)
    assert list(cancelled) == []


def test_a_deadline_ends_a_search_that_would_go_on(make_buffer):
    buffer = make_buffer("Lemma a : forall n m : nat, n = m.\nProof.\n")
    endless = Suggester(Scripted(*(f"pose proof {i} as k." for i in range(9))), OPTIONS, seed=0)
    started = time.monotonic()
    found = list(endless.suggest(buffer, at_end(buffer), num=3, deadline_s=1.0))
    assert time.monotonic() - started < 30
    assert len(found) <= 3 and not texts(found, "proof")


def test_an_edit_ends_a_search(make_buffer):
    buffer = make_buffer(OPEN)
    found = Suggester(Scripted("intro H.", "split."), OPTIONS, seed=0).suggest(buffer, at_end(buffer))
    next(found)
    buffer.edit(OPEN + "intro H.")
    with pytest.raises(ChangedError):
        list(found)


class Even:
    """Says that what closes a goal, or is short, is likely to be finished."""

    def probability(self, suggestion, num_goals_before):
        return 1 / (1 + len(suggestion.text) * num_goals_before)


def test_probabilities_rank(make_buffer):
    buffer = make_buffer(OPEN)
    options = replace(OPTIONS, one_shot_tactics=(), max_expansions=1)
    found = suggest(buffer, "intro long_name.", "split.", options=options, calibrator=Even())
    assert [s.text for s in rank(found)] == ["split.", "intro long_name."]
    proof = Suggestion("auto. auto.", "proof", (), 1.0, "search", True)
    assert rank([*found, proof, replace(proof, text="auto.")])[0].text == "auto."


def test_a_search_in_the_middle_of_a_text_ignores_what_follows(make_buffer):
    buffer = make_buffer(OPEN + "intro H.\nnonsense.\n")
    found = list(Suggester(None, OPTIONS, seed=0).suggest(buffer, Position(1, 6)))
    assert texts(found, "proof")
