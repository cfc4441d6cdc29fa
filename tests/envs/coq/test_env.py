import contextlib
import os
import signal
from dataclasses import replace
from itertools import pairwise

import pytest

from ntp.buffers.goals import num_left
from ntp.envs.coq.build_files import LoadPath
from ntp.envs.coq.env import CoqEnv
from ntp.envs.coq.installation import CoqInstallation
from ntp.envs.coq.project import CoqProject
from ntp.envs.coq.proof import CoqProof
from ntp.errors import ConfigError, EnvError, InitError
from ntp.sandbox.limits import Limits
from ntp.types import (
    Crashed,
    Exceeded,
    Goal,
    Proved,
    Reached,
    Rejected,
    Span,
    Status,
    TacticError,
    Theorem,
    Timeout,
    Verdict,
)

pytestmark = pytest.mark.coq

CONJ = """
Lemma first : True.
Proof. exact I. Qed.

Lemma conj (a b : nat) : a = b -> b = a /\\ a + 0 = a.
Proof.
  intro H. split. symmetry. exact H. auto.
Qed.

Lemma last : 1 = 1.
Proof. reflexivity. Qed.
"""

CHEATS = """
Axiom absurd : False.
Axiom excluded : forall P : Prop, P \\/ ~ P.
Lemma plain : forall P : Prop, P -> P \\/ ~ P.
Proof. intros P p. left. exact p. Qed.
Lemma looping : forall n : nat, n = n + 0.
Proof. auto. Qed.
Lemma classical : forall P : Prop, P \\/ ~ P.
Proof. exact excluded. Qed.
"""


def walk(session, tactics):
    """Outcomes of tactics one after the other, until one does not lead to a state."""
    state, outcomes = session.root, []
    for tactic in tactics:
        outcomes.append(session.step(state, tactic))
        if not isinstance(outcomes[-1], Reached):
            break
        state = outcomes[-1].state
    return outcomes


@pytest.fixture
def conj(write_project, open_env, proofs):
    """(environment, its theorems by name) over a file of three lemmas."""
    env = open_env(write_project({"A.v": CONJ}))
    return env, by_name(proofs("A.v", CONJ))


def by_name(found):
    return {theorem.statement.split()[1]: theorem for theorem, _ in found}


def test_steps_lead_to_goals_and_a_proof(conj):
    env, theorems = conj
    session = env.open(theorems["conj"])
    assert session.root.text == "a, b : nat\n⊢ a = b -> b = a /\\ a + 0 = a"
    split, symmetric = walk(session, ["intro H; split.", "symmetry."])
    assert split.state.goal.conclusion == "b = a"
    assert split.state.other_goals == ("a, b : nat\nH : a = b\n⊢ a + 0 = a",)
    assert split.state.key == split.state.text + "\n\n" + split.state.other_goals[0]
    assert symmetric.state.goal.conclusion == "a = b"
    assert walk(session, ["intro H; split.", "auto.", "auto."])[-1] == Proved()


def test_any_earlier_state_can_be_stepped_again(conj):
    env, theorems = conj
    session = env.open(theorems["conj"])
    intro = session.step(session.root, "intro H.").state
    left = session.step(intro, "split.").state
    other = session.step(intro, "split; [ symmetry | ].").state
    assert session.step(left, "symmetry.").state.key == other.key
    assert session.step(other, "exact H.").state.text.endswith("a + 0 = a")
    assert isinstance(session.step(session.root, "exact I."), TacticError)
    assert session.step(left, "intuition.").state.text.endswith("a + 0 = a")
    done = session.step(other, "intuition.").state
    assert session.step(done, "auto.") == Proved()
    # The accepted Qed has left no trace.
    assert session.step(done, "reflexivity.").__class__ is TacticError
    assert session.step(left, "exact (eq_sym H).").state.key == done.key


def test_a_tree_walked_in_any_order_has_the_same_states(stdlib, proofs, open_env):
    theorem, tactics = next(p for p in proofs("Lists/List.v", stdlib.read("Lists/List.v")) if len(p[1]) > 8)
    outcomes = walk(open_env(stdlib).open(theorem), tactics)
    assert outcomes[-1] == Proved()
    session = open_env(stdlib).open(theorem)
    again = walk(session, tactics)
    states = [session.root, *(o.state for o in again[:-1])]
    for index in [5, 2, 6, 0, 7, 3, 1]:
        assert session.step(states[index], "idtac.").state.key == states[index].key
        side = session.step(states[index], f"{tactics[index][:-1]}; idtac.")
        assert side.state.key == outcomes[index].state.key


def test_repeated_questions_are_answered_from_memory(conj):
    env, theorems = conj
    session = env.open(theorems["conj"])
    assert session.step(session.root, "intro H.") is session.step(session.root, "intro H.")


def test_theorems_of_a_file_in_any_order(conj):
    env, theorems = conj
    for name in ["last", "first", "conj", "conj", "last"]:
        tactics = {"first": ["exact I."], "conj": ["now intros ->."], "last": ["reflexivity."]}[name]
        assert walk(env.open(theorems[name]), tactics)[-1] == Proved()
        assert replace(env.check_proof(theorems[name], tactics), term="") == Verdict(True)


def test_a_closed_session_cannot_be_stepped(conj):
    env, theorems = conj
    session = env.open(theorems["conj"])
    env.open(theorems["first"])
    with pytest.raises(ValueError, match="closed"):
        session.step(session.root, "auto.")


def test_verify_wants_a_whole_proof(conj):
    env, theorems = conj
    conj_theorem = theorems["conj"]
    assert env.check_proof(conj_theorem, ["intro H.", "split.", "auto.", "auto."]).accepted
    assert env.check_proof(conj_theorem, ["intro H.", "split."]) == Verdict(False, "goals remain")
    assert env.check_proof(conj_theorem, []) == Verdict(False, "goals remain")
    assert "exact I." in env.check_proof(conj_theorem, ["exact I."]).reason
    after = env.check_proof(conj_theorem, ["now intros ->.", "auto."])
    assert not after.accepted and after.reason
    assert "not one sentence" in env.check_proof(conj_theorem, ["intro H. split."]).reason


def test_a_replay_that_comes_to_no_end_is_no_refusal(cheats, open_env):
    env, theorems = cheats
    env = open_env(env.project, tactic_timeout_s=1)
    endless = env.check_proof(theorems["plain"], ["do 1000000000 idtac."])
    assert (endless.accepted, endless.unsettled) == (False, Status.TIMEOUT)
    refused = env.check_proof(theorems["plain"], ["intros; destruct absurd."])
    assert (refused.accepted, refused.unsettled) == (False, None)


def test_only_a_proof_that_was_accepted_leaves_its_process_to_the_next(conj):
    env, theorems = conj
    assert env.check_proof(theorems["first"], ["exact I."]).accepted
    assert env.pid
    assert not env.check_proof(theorems["first"], ["exact 3."]).accepted
    assert not env.pid


def test_a_walk_tells_how_many_goals_each_tactic_left_of_its_own(write_project, open_env, proofs):
    """A tactic that instantiates a variable of another goal, or closes both, acts on more than its goal."""
    source = """
Lemma both (a b : nat) : a = b -> (b = a /\\ a + 0 = a) /\\ exists n : nat, n = a /\\ n = n.
Proof. intro H. auto. Qed.
"""
    ((theorem, _),) = proofs("L.v", source)
    session = open_env(write_project({"L.v": source})).open(theorem)

    def left(tactics):
        states, outcomes = [session.root], walk(session, tactics)
        states += [outcome.state for outcome in outcomes if isinstance(outcome, Reached)]
        assert outcomes[-1] == Proved() and len(states) == len(tactics)
        return num_left([state.text for state in states], [state.unread_goals for state in states])

    tactics = [
        "intro H.",
        "split.",
        "split.",
        "auto.",
        "auto.",
        "eexists.",
        "split.",
        "reflexivity.",
        "auto.",
    ]
    assert left(tactics) == [1, 2, 2, 0, 0, 1, 2, None, 0]  # `reflexivity` says what n is
    assert left(["intro H.", "split.", "all: eauto."]) == [1, 2, None]


@pytest.fixture
def cheats(write_project, open_env, proofs):
    env = open_env(write_project({"C.v": CHEATS}), tactic_timeout_s=3)
    return env, by_name(proofs("C.v", CHEATS))


@pytest.mark.parametrize(
    "tactics",
    [
        ["intro P; exact_no_check I."],
        ["intros P p; vm_cast_no_check p."],
        ["shelve."],
        ["intros; destruct absurd."],
        ["intros; apply excluded."],
        ["intros P p; abstract (destruct absurd)."],
        ["abstract (destruct absurd) using classical."],
        ["refine (fun P p => _); shelve."],
    ],
)
def test_false_proofs_are_rejected(cheats, tactics):
    env, theorems = cheats
    assert isinstance(walk(env.open(theorems["plain"]), tactics)[-1], Rejected)
    verdict = env.check_proof(theorems["plain"], tactics)
    assert not verdict.accepted and verdict.reason


@pytest.mark.parametrize("tactic", ["fix f 1; exact f.", "fix f 1; intro n; apply f."])
def test_proofs_by_themselves_are_rejected(cheats, tactic):
    env, theorems = cheats
    (outcome,) = walk(env.open(theorems["looping"]), [tactic])
    assert isinstance(outcome, Rejected) and "ill-formed" in outcome.reason


def test_axioms_of_the_reference_proof_are_allowed_and_named(cheats):
    env, theorems = cheats
    assert walk(env.open(theorems["classical"]), ["exact excluded."])[-1] == Proved()
    verdict = env.check_proof(theorems["classical"], ["apply excluded."])
    assert verdict.accepted and verdict.axioms == ("excluded",)
    refused = env.check_proof(theorems["classical"], ["intros; destruct absurd."])
    assert not refused.accepted and "absurd : False" in refused.reason
    # After the reference proof was replayed, the session's states are still there.
    session = env.open(theorems["classical"])
    (reached,) = walk(session, ["intro Q."])
    assert session.step(reached.state, "destruct absurd.").__class__ is Rejected
    assert session.step(reached.state, "apply excluded.") == Proved()


def test_sections_lets_modules_and_goals_without_names(write_project, open_env, proofs):
    source = """
From Coq Require Import Program.Tactics.
Section S.
Variable A : Type.
Hypothesis inhabited : A.
Let twice : forall x : A, x = x /\\ True.
Proof. auto. Qed.
Lemma some : exists x : A, x = x.
Proof using inhabited. exists inhabited. reflexivity. Qed.
End S.
Module Type T. Parameter n : nat. End T.
Module F (X : T).
Lemma refl : X.n = X.n.
Proof. reflexivity. Qed.
End F.
Goal 1 = 1.
Proof. reflexivity. Qed.
#[local] Obligation Tactic := idtac.
Program Definition next (n : nat) : {m | m = S n} := S n.
Next Obligation.
Proof. reflexivity. Qed.
"""
    env = open_env(write_project({"S.v": source}))
    found = proofs("S.v", source)
    assert len(found) == 5
    for theorem, tactics in found[::-1]:
        assert walk(env.open(theorem), tactics)[-1] == Proved(), theorem.statement
        assert env.check_proof(theorem, tactics).accepted, theorem.statement


def test_proof_with_gives_its_tactic_to_the_dots(write_project, open_env, proofs):
    source = "Lemma l : 1 = 1 /\\ True.\nProof with auto. split... Qed."
    env = open_env(write_project({"W.v": source}))
    ((theorem, tactics),) = proofs("W.v", source)
    assert walk(env.open(theorem), tactics) == [Proved()]


def test_unknown_theorems_are_named(conj):
    env, theorems = conj
    real = theorems["conj"]
    begin = real.declaration.begin
    shifted = Span(begin + 1, real.declaration.end + 1)
    for wrong in [
        Theorem("A.none", "A.v", "Lemma none : False.", real.declaration, real.proof),
        Theorem("A.conj", "A.v", real.statement, shifted, real.proof),
        Theorem(
            "A.conj", "A.v", real.statement[4:], Span(shifted.begin + 3, real.declaration.end), real.proof
        ),
    ]:
        with pytest.raises(InitError, match=rf"unknown theorem {wrong.id}.*A\.v"):
            env.open(wrong)
        with pytest.raises(InitError, match="unknown theorem"):
            env.check_proof(wrong, ["auto."])
    with pytest.raises(InitError, match=r"B\.v: no such file"):
        env.open(Theorem("B.x", "B.v", "Lemma x : True.", Span(0, 15), Span(15, 30)))
    assert walk(env.open(real), ["now intros ->."]) == [Proved()]


def test_a_file_that_does_not_replay_is_named_with_its_line(write_project, open_env, proofs):
    source = (
        "Lemma ok : True.\nProof. exact I. Qed.\n(* é *)\nDefinition é :=\n  missing.\n"
        "Lemma l : True.\nProof. auto. Qed."
    )
    env = open_env(write_project({"B.v": source}))
    (ok, _), (after, _) = proofs("B.v", source)
    with pytest.raises(InitError, match=r"B\.v:5: the file does not replay: The reference missing was not"):
        env.open(after)
    assert walk(env.open(ok), ["exact I."]) == [Proved()]


def test_a_file_that_cannot_be_cut_is_named_with_its_line(write_project, open_env):
    env = open_env(write_project({"D.v": "Lemma l : True.\n(* open"}))
    with pytest.raises(InitError, match=r"D\.v:2: the comment is not closed"):
        env.open(Theorem("D.l", "D.v", "Lemma l : True.", Span(0, 15), Span(15, 20)))


def test_a_built_project_with_load_paths(write_project, open_env, proofs):
    source = "From My.Lib Require Import Base.\nLemma l : three = 3.\nProof. reflexivity. Qed."
    project = write_project({"theories/Base.v": "Definition three := 3.", "theories/Use.v": source})
    ((theorem, tactics),) = proofs("theories/Use.v", source)
    mounted = CoqProject(project.root, (LoadPath("-R", "theories", "My.Lib"),))
    with pytest.raises(InitError, match=r"Use\.v:1: .*Cannot find"):
        open_env(mounted).open(theorem)
    assert os.system(f"cd {project.root} && coqc -q -R theories My.Lib theories/Base.v") == 0
    assert walk(open_env(mounted).open(theorem), tactics) == [Proved()]


def test_a_missing_prover_is_named(write_project, open_env, proofs):
    root = write_project({"A.v": CONJ}).root
    env = open_env(CoqProject(root, prover=CoqInstallation("coqidetop.missing")))
    with pytest.raises(EnvError, match="apt-get install coq"):
        env.open(by_name(proofs("A.v", CONJ))["conj"])


def test_time_is_limited_and_counts_in_whole_seconds(cheats):
    env, theorems = cheats
    session = env.open(theorems["plain"])
    assert session.step(session.root, "do 1000000000 idtac.") == Timeout()
    assert isinstance(session.step(session.root, "intros P p."), Reached)
    for wrong in (0, 0.5, -1):
        with pytest.raises(ConfigError, match="whole number"):
            CoqEnv(CoqProject(env.project.root), wrong)


def test_a_stuck_process_is_a_timeout_and_is_replaced(cheats):
    env, theorems = cheats
    session = env.open(theorems["plain"])
    state = session.step(session.root, "intros P p.").state
    os.kill(env.pid, signal.SIGSTOP)
    assert isinstance(session.step(state, "left."), Timeout)
    assert walk(session, ["intros P p.", "right."])[-1].state.text.endswith("~ P")


def test_a_killed_process_changes_nothing(stdlib, proofs, open_env):
    theorem, tactics = next(p for p in proofs("Lists/List.v", stdlib.read("Lists/List.v")) if len(p[1]) > 8)
    calm = walk(open_env(stdlib).open(theorem), tactics)
    env = open_env(stdlib)
    session = env.open(theorem)
    state, outcomes = session.root, []
    for tactic in tactics:
        if len(outcomes) % 3 == 0:
            os.kill(env.pid, signal.SIGKILL)
        outcomes.append(session.step(state, tactic))
        state = getattr(outcomes[-1], "state", state)
    assert [type(o) for o in outcomes] == [type(o) for o in calm]
    assert [o.state.key for o in outcomes[:-1]] == [o.state.key for o in calm[:-1]]


def test_a_tactic_that_eats_all_memory_breaks_a_limit_and_the_session_goes_on(
    write_project, open_env, proofs
):
    project = write_project({"A.v": CONJ})
    env = open_env(project, tactic_timeout_s=20, limits=Limits(memory_mb=300))
    session = env.open(by_name(proofs("A.v", CONJ))["conj"])
    outcome = session.step(session.root, "let x := eval vm_compute in (Nat.pow 2 30) in idtac.")
    assert isinstance(outcome, Exceeded) and outcome.limit == "memory"
    assert isinstance(session.step(session.root, "let x := eval vm_compute in (1 + 1) in idtac."), Reached)
    assert walk(session, ["now intros ->."]) == [Proved()]


@pytest.mark.parametrize("character", [1, 2, 7, 27])
def test_control_characters_in_goals_and_messages_mean_nothing(write_project, open_env, proofs, character):
    """Coq prints a string literal with whatever is in it."""
    source = "Require Import String.\nLemma l : forall n : nat, n = n.\nProof. reflexivity. Qed."
    bits = " ".join("true" if character >> i & 1 else "false" for i in range(8))
    literal = f"(String.String (Ascii.Ascii {bits}) String.EmptyString)"
    ((theorem, _),) = proofs("S.v", source)
    session = open_env(write_project({"S.v": source})).open(theorem)
    reached = session.step(session.root, f"assert (H : {literal} = String.EmptyString).")
    assert reached.state.goal == Goal((), '"?"%string = ""%string')
    assert reached.state.other_goals == ('H : "?"%string = ""%string\n⊢ forall n : nat, n = n',)
    shelved = session.step(session.root, f"assert (H : {literal} = String.EmptyString); [shelve|].")
    assert shelved.state.goal.hypotheses == ('H : "?"%string = ""%string',)
    failed = session.step(session.root, f"let x := constr:({literal}) in fail 0 x.")
    assert isinstance(failed, TacticError) and '"?"' in failed.message
    assert walk(session, ["intro n.", "reflexivity."])[-1] == Proved()


def test_a_state_that_comes_out_otherwise_is_not_taken_for_the_one_asked_about(
    write_project, open_env, proofs
):
    """A tactic may depend on more than its state: the clock, or here a library that is built again."""
    source = "From My Require Import Base.\nLemma l : forall n : nat, n = n.\nProof. reflexivity. Qed."
    project = write_project({"Base.v": "Ltac name := intro x.", "Use.v": source})
    build = f"cd {project.root} && coqc -q -R . My Base.v"
    assert os.system(build) == 0
    ((theorem, _),) = proofs("Use.v", source)
    env = open_env(CoqProject(project.root, (LoadPath("-R", ".", "My"),)))
    session = env.open(theorem)
    state = session.step(session.root, "name.").state
    assert session.step(state, "generalize x.").state.goal.hypotheses == ("x : nat",)
    write_project({"Base.v": "Ltac name := intro y."})
    assert os.system(build) == 0
    os.kill(env.pid, signal.SIGKILL)
    assert isinstance(session.step(state, "destruct y."), Crashed)
    assert isinstance(session.step(session.root, "name."), Reached), "remembered"
    assert walk(session, ["intro n.", "reflexivity."])[-1] == Proved()


def test_close_ends_the_process_and_may_be_repeated(conj):
    env, theorems = conj
    session = env.open(theorems["conj"])
    pid = env.pid
    env.close()
    env.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(ValueError, match="closed"):
        session.step(session.root, "auto.")


@pytest.mark.parametrize(
    "file", ["Bool/Bool.v", "Init/Logic.v", "Logic/ClassicalFacts.v", "Program/Wf.v", "Sets/Powerset_facts.v"]
)
def test_human_proofs_are_proofs(stdlib, proofs, open_env, file):
    env = open_env(stdlib, tactic_timeout_s=5)
    found = proofs(file, stdlib.read(file))
    assert all(a[0].declaration.begin < b[0].declaration.begin for a, b in pairwise(found))
    for theorem, tactics in found[:: -max(1, len(found) // 25)]:
        assert walk(env.open(theorem), tactics)[-1] == Proved(), theorem.statement


@pytest.mark.parametrize(("num_kills", "has_term"), [(1, True), (10, False)])
def test_a_prover_that_is_killed_while_it_prints_a_term(stdlib, proofs, monkeypatch, num_kills, has_term):
    """A kill from outside says nothing about the term; what kills it every time is not tried for ever."""
    theorem, tactics = proofs("Bool/Bool.v", stdlib.read("Bool/Bool.v"))[0]
    with contextlib.closing(CoqEnv(stdlib)) as env:
        calm = env.check_proof(theorem, tactics)
    digest, killed = CoqProof.term_digest, []

    def killed_at_first(proof):
        if len(killed) < num_kills:
            killed.append(proof.document.top.process.pid)
            os.kill(killed[-1], signal.SIGKILL)
        return digest(proof)

    monkeypatch.setattr(CoqProof, "term_digest", killed_at_first)
    with contextlib.closing(CoqEnv(stdlib)) as env:
        assert env.check_proof(theorem, tactics) == (calm if has_term else replace(calm, term=""))
    assert calm.accepted and calm.term
