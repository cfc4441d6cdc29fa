import os
import signal
import time
from pathlib import Path

import pytest

from ntp.envs.coq.client import ROOT, CoqIdeTop
from ntp.envs.coq.installation import CoqInstallation
from ntp.envs.coq.project import CoqProject
from ntp.envs.coq.protocol import Failure, Goals
from ntp.envs.coq.syntax import sentences
from ntp.errors import EnvError
from ntp.sandbox.deaths import DeadlineExceededError, ProcessDiedError
from ntp.types import Goal

pytestmark = pytest.mark.coq
LEMMA = ["Lemma l (a b : nat) : a = b -> b = a /\\ a + 0 = a.", "Proof.", "intro H.", "split."]


@pytest.fixture
def top(stdlib, tmp_path):
    with CoqIdeTop(CoqProject(tmp_path), "T.v") as top:
        yield top


def texts_of(project, file):
    return [sentence.text for sentence in sentences(project.read(file))]


def test_goals_are_first_class(top):
    top.load(LEMMA, 10)
    goals = top.goals(10)
    assert isinstance(goals, Goals)
    assert [goal.conclusion for goal in goals.focused] == ["b = a", "a + 0 = a"]
    assert goals.focused[0].hypotheses == ("a, b : nat", "H : a = b")
    assert str(goals.focused[0]) == "a, b : nat\nH : a = b\n⊢ b = a"
    focused = top.run("-", 10)
    assert isinstance(focused, Goals)
    assert [g.conclusion for g in focused.focused] == ["b = a"]
    assert [g.conclusion for g in focused.background] == ["a + 0 = a"]


def test_a_failure_moves_nothing(top):
    top.load(LEMMA, 10)
    before, tip = top.goals(10), top.tip
    for wrong in ["exact I.", "no such tactic", "auto auto auto."]:
        assert isinstance(top.run(wrong, 10), Failure)
        assert top.tip == tip and top.goals(10) == before
    assert isinstance(top.run("auto.", 10), Goals)


def test_pipelined_and_single_runs_agree(stdlib):
    texts = texts_of(stdlib, "Bool/Bool.v")
    with CoqIdeTop(stdlib, "Bool/Bool.v") as one, CoqIdeTop(stdlib, "Bool/Bool.v") as many:
        assert many.run_all(texts, 60) == [one.run(text, 60) for text in texts]
        assert many.tip == one.tip


TRUE = Goal((), "True")
SIDE_EFFECTS = [
    "Lemma a : True.",
    "Ltac one := idtac.",
    "one.",
    "Open Scope list_scope.",
    "Ltac two := one.",
    "two.",
    "Close Scope list_scope.",
    "exact I.",
    "Qed.",
    "Lemma b : True.",
]


def test_commands_with_side_effects_inside_a_proof_are_pipelined(top):
    assert top.run_all(SIDE_EFFECTS, 20.0) == [*[Goals((TRUE,))] * 7, Goals(()), None, Goals((TRUE,))]
    assert top.run_all(["Ltac three := two.", "exact I.", "Qed."], 20.0)[1:] == [Goals(()), None]


def test_commands_with_side_effects_inside_a_proof_are_loaded(top):
    states, failed = top.load([*SIDE_EFFECTS, "exact I.", "Qed.", "Print b."], 20.0)
    assert failed is None
    assert len(states) == len(SIDE_EFFECTS) + 3
    states, failed = top.load(["Lemma c : True.", "Ltac four := idtac.", "four.", "exact 0.", "Qed."], 20.0)
    assert len(states) == 3
    assert isinstance(failed, Failure)
    assert "nat" in failed.message


def test_batches_stop_at_the_first_failure(top):
    texts = [*LEMMA, "symmetry; exact H.", "exact I.", "auto.", "Qed."]
    results = top.run_all(texts, 10)
    assert len(results) == 6 and isinstance(results[-1], Failure)
    top.edit_at(ROOT)
    states, failed = top.load(texts, 10)
    assert len(states) == 5 and failed is not None and "I" in failed.message
    assert top.load(["auto.", "Qed."], 10)[1] is None
    states, failed = top.load(["Definition x := 1.", "syntax error here", "Definition y := 2."], 10)
    assert len(states) == 1 and failed is not None and failed.message.startswith("Syntax error")
    assert top.run("Definition y := x.", 10) is None


@pytest.mark.parametrize("file", ["Logic/ClassicalFacts.v", "Sets/Powerset_facts.v"])
def test_going_back_is_exact(stdlib, file):
    texts = texts_of(stdlib, file)
    first = next(i for i, text in enumerate(texts) if text.startswith(("Lemma", "Theorem", "Section")))
    with CoqIdeTop(stdlib, file) as top, CoqIdeTop(stdlib, file) as other:
        fresh = other.run_all(texts, 60)
        states, failed = top.load(texts, 60)
        assert failed is None
        for begin in range(len(texts) - 1, first, -len(texts) // 7):
            top.edit_at(states[begin - 1])
            assert top.run_all(texts[begin:], 60) == fresh[begin:]


def test_queries_and_status(top):
    top.load(LEMMA, 10)
    assert top.status(10) == (("T",), "l")
    assert top.query("Locate nat.", 10) == ["Inductive Coq.Init.Datatypes.nat"]
    answers = top.query_all(["Locate S.", "Locate nothing_such", "Check 1."], 10)
    assert answers[0] == ["Constructor Coq.Init.Datatypes.S"]
    assert isinstance(answers[1], Failure)
    assert answers[2] == ["1\n     : nat"]


def test_interrupt_goes_back(top):
    top.load(LEMMA, 10)
    before = top.goals(10)
    for _ in range(3):
        with pytest.raises(DeadlineExceededError):
            top.run("do 1000000000 idtac.", 0.2)
        assert top.interrupt(5)
        assert top.goals(10) == before
    assert isinstance(top.run("auto.", 10), Goals)


def test_interrupt_gives_up_on_a_process_that_does_not_react(top):
    os.kill(top.process.pid, signal.SIGSTOP)
    with pytest.raises(DeadlineExceededError):
        top.run("Check 1.", 0.1)
    started = time.monotonic()
    assert not top.interrupt(0.2)
    assert time.monotonic() - started < 2


def test_death_is_reported(top):
    os.kill(top.process.pid, signal.SIGKILL)
    with pytest.raises(ProcessDiedError, match="SIGKILL"):
        top.run("Check 1.", 10)


def test_another_version_is_refused(stdlib, tmp_path):
    version = stdlib.prover.version
    program = Path(stdlib.prover.program).read_bytes()
    assert program.count(version.encode())
    other = tmp_path / "coqidetop"
    other.write_bytes(program.replace(version.encode(), b"7" + version.encode()[1:]))
    other.chmod(0o755)
    with pytest.raises(EnvError, match=r"found Coq 7\..*, supported are Coq 8\.16.*apt-get install coq"):
        CoqIdeTop(CoqProject(tmp_path, prover=CoqInstallation(str(other))), "T.v")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (
            "printf 'cannot open shared object\\nPlease report\\n' >&2\nexit 3",
            r"does not speak.*exit status 3.*shared object.*apt-get install coq",
        ),
        (
            "echo '<value>ready</value><value>3</value>'\nsleep 60",
            r"found Coq of unknown version, supported are Coq 8\.16",
        ),
    ],
)
def test_something_else_is_refused(tmp_path, script, message):
    other = tmp_path / "coqidetop"
    other.write_text(f"#!/bin/sh\n{script}\n")
    other.chmod(0o755)
    with pytest.raises(EnvError, match=message):
        CoqIdeTop(CoqProject(tmp_path, prover=CoqInstallation(str(other))), "T.v")


def test_a_missing_prover_is_named(tmp_path):
    with pytest.raises(EnvError, match="apt-get install coq"):
        CoqIdeTop(CoqProject(tmp_path, prover=CoqInstallation("coqidetop.missing")), "T.v")
