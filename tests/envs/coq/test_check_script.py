"""Whole scripts: as files write them, as models write them, and as somebody who cheats would write them."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ntp.envs.coq.env import CoqEnv
from ntp.envs.coq.project import CoqProject
from ntp.types import Goal, Proved, Reached, Rejected, Status, TacticError, Timeout, Verdict

pytestmark = pytest.mark.coq

SOURCE = """
Axiom absurd : False.
Ltac sneak := give_up.
Lemma first : True.
Proof. exact I. Qed.

Lemma both (a b : nat) : a = b -> b = a /\\ a + 0 = a.
Proof with auto.
  intro H. split. symmetry. exact H. auto.
Qed.

Lemma wrong : forall n : nat, n = 0.
Proof. Admitted.
"""

BOTH = [
    "intro H. split. symmetry. exact H. auto.",
    "Proof. intro H. split. - symmetry. exact H. - auto. Qed.",
    "Proof with auto. intro H; split... Qed.",
    "Proof.\n  intros ->. split.\n  { reflexivity. }\n  { (* a + 0 *) auto. }\nDefined.",
    "intro H. split. 2: { auto. } symmetry. { exact H. }",
    "intro H. split. all: auto.",
    "intro H. split. 2: auto. + auto.",
    "intro H. { split. { now symmetry. } { auto. } }",
]
HOSTILE = json.loads(Path(__file__).with_name("hostile_scripts.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def env(tmp_path_factory):
    directory = tmp_path_factory.mktemp("scripts")
    (directory / "A.v").write_text(SOURCE)
    env = CoqEnv(CoqProject(directory), tactic_timeout_s=1)
    yield env
    env.close()


@pytest.fixture
def theorems(proofs):
    return {theorem.statement.split()[1]: theorem for theorem, _ in proofs("A.v", SOURCE)}


@pytest.fixture
def check(env, theorems):
    return lambda name, text: env.check_script(theorems[name], text)


@pytest.mark.parametrize("file", ["Bool/Bool.v", "Arith/Between.v", "Lists/ListSet.v", "Logic/Berardi.v"])
def test_the_proofs_of_a_file_are_accepted(open_env, stdlib, proofs, file):
    env, source = open_env(stdlib), stdlib.read(file)
    refused = {}
    for theorem, _ in reversed(proofs(file, source)):
        result = env.check_script(theorem, source[theorem.proof.begin : theorem.proof.end])
        if not result.verdict.accepted:
            refused[theorem.statement] = result.verdict.reason
    assert refused == {}


@pytest.mark.parametrize("text", BOTH)
def test_bullets_and_braces_structure_a_script(check, text):
    result = check("both", text)
    assert replace(result.verdict, term="") == Verdict(True)
    assert result.transitions[-1].outcome == Proved() and result.failed is None
    assert "Qed." not in result.accepted and result.accepted[0] != "Proof."


def test_what_is_accepted_is_a_proof_of_its_sentences(check, env, theorems):
    for text in BOTH:
        result = check("both", text)
        verdict = env.check_proof(theorems["both"], result.accepted)
        assert verdict.accepted and verdict.term == result.verdict.term


def test_the_first_sentence_that_fails_is_shown_with_its_goals(check):
    result = check("both", "intro H. split. - symmetry. exact I. - auto. Qed.")
    assert result.accepted == ("intro H.", "split.", "-", "symmetry.")
    assert result.failed.tactic.text == "exact I."
    assert result.failed.state.goal == Goal(("a, b : nat", "H : a = b"), "a = b")
    assert result.failed.state.other_goals == ("a, b : nat\nH : a = b\n⊢ a + 0 = a",)
    assert isinstance(result.failed.outcome, TacticError) and "True" in result.failed.outcome.message
    assert not result.verdict.accepted and result.verdict.reason.startswith("'exact I.': ")


def test_a_bullet_too_early_fails(check):
    result = check("both", "intro H. split. - symmetry. - auto.")
    assert result.failed.tactic.text == "-" and "bullet" in result.failed.outcome.message


def test_goals_that_remain_are_shown(check):
    result = check("both", "intro H. split. - auto.")
    assert (result.verdict, result.failed) == (Verdict(False, "goals remain"), None)
    assert isinstance(result.transitions[-1].outcome, Reached)
    assert result.transitions[-1].outcome.state.goal.conclusion == "a + 0 = a"


def test_a_brace_that_stays_open_is_no_proof(check):
    result = check("both", "intro H. { split; auto.")
    assert not result.verdict.accepted and isinstance(result.failed.outcome, Rejected)


def test_a_refused_script_moves_nothing(check):
    assert not check("both", "intro H. split. - auto.").verdict.accepted
    assert check("first", "exact I.").verdict.accepted
    assert check("both", BOTH[0]).verdict.accepted


def test_a_sentence_and_a_script_have_their_time(env, check, monkeypatch):
    slow = check("first", "do 1000000000 idtac. exact I.")
    assert slow.verdict.unsettled == Status.TIMEOUT and slow.failed.tactic.text == "do 1000000000 idtac."
    monkeypatch.setattr(env, "_script_timeout_s", 0.0)
    late = check("first", "idtac. exact I.")
    assert isinstance(late.failed.outcome, Timeout) and late.verdict.unsettled == Status.TIMEOUT


def test_the_hostile_list_is_long_enough():
    assert len(set(HOSTILE)) == len(HOSTILE) >= 60


@pytest.mark.parametrize("text", HOSTILE)
def test_no_hostile_script_is_a_proof(env, check, text):
    started = time.monotonic()
    result = check("wrong", text)
    assert not result.verdict.accepted and result.verdict.reason
    assert all(isinstance(t.outcome, Reached) for t in result.transitions[:-1])
    assert check("first", "exact I.").verdict.accepted, "the environment still works"
    assert not check("wrong", "intro n. reflexivity.").verdict.accepted
    assert time.monotonic() - started < 60
