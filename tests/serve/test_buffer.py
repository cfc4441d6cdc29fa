import os

import pytest

from ntp.envs.live import NoProofError, ReplayError
from ntp.serve.buffer import ChangedError, Position
from tests.serve.conftest import at_end

pytestmark = pytest.mark.coq

TEXT = """Lemma one : 1 = 1.
Proof. reflexivity. Qed.
Definition two := 2.
Lemma both (n : nat) : n + 0 = n /\\ two = 2.
Proof.
  split.
  - auto.
  - """


def conclusions(view):
    return [goal.conclusion for goal in view.goals], [goal.conclusion for goal in view.unfocused]


def test_positions_are_lines_and_characters(make_buffer):
    buffer = make_buffer("ab\nçé\n")
    assert [buffer.offset(Position(*at)) for at in [(0, 0), (0, 9), (1, 1), (1, 2), (9, 0)]] == [
        0,
        2,
        4,
        5,
        6,
    ]
    assert buffer.position(4) == Position(1, 1)
    buffer.change(Position(0, 1), Position(1, 1), "XY")
    assert buffer.text == "aXYé\n"


def test_goals_are_those_before_the_position(make_buffer):
    buffer = make_buffer(TEXT)
    assert buffer.goals(Position(0, 5)).statement == ""
    inside = buffer.goals(Position(4, 8))
    assert inside.statement == "Lemma both (n : nat) : n + 0 = n /\\ two = 2."
    assert conclusions(inside) == (["n + 0 = n /\\ two = 2"], [])
    assert conclusions(buffer.goals(Position(6, 3))) == (["n + 0 = n"], ["two = 2"])
    assert conclusions(buffer.goals(at_end(buffer))) == (["two = 2"], [])
    assert buffer.goals(Position(2, 20)).goals == ()


def test_only_what_follows_an_edit_is_run_again(make_buffer, monkeypatch):
    buffer = make_buffer(TEXT)
    buffer.goals(at_end(buffer))
    document = buffer._env.document
    pid, executed = buffer._env.pid, []
    run, load = document.top.run, document.top.load
    monkeypatch.setattr(document.top, "run", lambda text, t: executed.append(text) or run(text, t))
    monkeypatch.setattr(document.top, "load", lambda texts, t: executed.extend(texts) or load(texts, t))
    buffer.edit(TEXT + "unfold two. ")
    assert conclusions(buffer.goals(at_end(buffer))) == (["2 = 2"], [])
    assert executed == ["unfold two."]
    # The same text with other blanks: nothing changed but places.
    buffer.edit("\n\n" + TEXT.replace("  -", " -") + "unfold two. ")
    assert conclusions(buffer.goals(at_end(buffer))) == (["2 = 2"], [])
    assert executed == ["unfold two."]
    buffer.edit(TEXT.replace("- auto.", "- simpl. auto."))
    assert conclusions(buffer.goals(at_end(buffer))) == (["two = 2"], [])
    assert executed[1:] == ["simpl.", "auto.", "-"]
    assert buffer._env.pid == pid


def test_going_back_over_a_library_begins_anew(make_buffer):
    buffer = make_buffer("Require Import Arith.\nLemma a (n : nat) : n <= n.\nProof.\n")
    assert buffer.goals(at_end(buffer)).goals
    buffer.edit("Require Import List. Import ListNotations.\nLemma a : [1] = [1].\nProof.\n")
    assert conclusions(buffer.goals(at_end(buffer))) == (["[1] = [1]"], [])


def test_a_refused_sentence_is_named_and_the_goals_before_it_stay(make_buffer):
    buffer = make_buffer(TEXT + "nonsense. auto.\n")
    view = buffer.goals(at_end(buffer))
    assert conclusions(view) == (["two = 2"], [])
    assert buffer.text[view.problem.span.begin : view.problem.span.end] == "nonsense."
    assert "nonsense was not found" in view.problem.message
    with pytest.raises(ReplayError, match="line 8: The reference nonsense"):
        buffer.begin(at_end(buffer))
    buffer.edit(TEXT + "reflexivity. Qed.\n")
    assert buffer.check().accepted


def test_an_earlier_statement_without_proof_is_not_mistaken_for_the_open_one(make_buffer):
    buffer = make_buffer("Lemma a : True.\nProof I.\nLemma b : 2 = 2.\nProof.\n")
    assert buffer.goals(at_end(buffer)).statement == "Lemma b : 2 = 2."
    buffer.edit("Lemma a : True.\nLemma b : 2 = 2.\nProof. reflexivity. Qed.\n")
    assert buffer.goals(at_end(buffer)).statement == "Lemma a : True."


def test_a_check_tells_what_is_missing_and_what_is_assumed(make_buffer):
    buffer = make_buffer("Axiom hard : 1 = 2.\nLemma easy : 2 = 1.\nProof. symmetry. exact hard. Qed.\n")
    found = buffer.check()
    assert (found.accepted, found.axioms) == (True, ("hard",))
    buffer.edit("Lemma a : 1 = 1.\nProof. reflexivity. Qed.\n")
    assert buffer.check().axioms == ()
    buffer.edit("Lemma a : 1 = 1.\nProof.")
    assert not buffer.check().accepted and buffer.check().statement == "Lemma a : 1 = 1."
    buffer.edit("Lemma a : 1 = 1")
    assert buffer.check().problem.message == "the sentence is not closed"


def test_a_sentence_that_hangs_is_named_and_the_document_goes_on():
    from ntp.envs.coq.factory import CoqEnvFactory
    from ntp.serve.buffer import Buffer

    buffer = Buffer(CoqEnvFactory().live(text_timeout_s=1.5))
    try:
        buffer.edit("Lemma a : 1 = 1.\nProof.\n  do 20 (repeat (idtac; pose 1)).\n")
        view = buffer.goals(at_end(buffer))
        assert view.problem.message == "no answer within 1.5 s"
        buffer.edit("Lemma a : 1 = 1.\nProof.\n")
        assert buffer.goals(at_end(buffer)).goals[0].conclusion == "1 = 1"
    finally:
        buffer.close()


def test_no_proof_is_open(make_buffer):
    buffer = make_buffer("Definition a := 1.\n")
    with pytest.raises(NoProofError, match="no proof is open"):
        buffer.begin(at_end(buffer))
    buffer.edit("Lemma a : True /\\ True.\nProof. split.\n- exact I.\n")
    with pytest.raises(NoProofError, match="no goal is in focus"):
        buffer.begin(at_end(buffer))


def test_a_search_ends_with_an_edit_another_search_or_closing(make_buffer):
    buffer = make_buffer(TEXT)
    first = buffer.begin(at_end(buffer))
    second = buffer.begin(at_end(buffer))
    with pytest.raises(ChangedError):
        first.step(first.root, "auto.")
    buffer.edit(TEXT + " ")
    with pytest.raises(ChangedError):
        second.step(second.root, "auto.")
    pid = buffer._env.pid
    buffer.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(ChangedError, match="closed"):
        buffer.goals(Position(0, 0))
