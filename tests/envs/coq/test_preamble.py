"""What runs between a statement and its proof, and the tactics of CoqHammer that it loads."""

import contextlib
import shutil
from pathlib import Path

import pytest

from ntp.envs.coq.env import CoqEnv
from ntp.envs.coq.factory import CoqEnvFactory
from ntp.envs.coq.hammer import found_tactic, is_hammer, loads_hammer, require_hammer
from ntp.envs.coq.preamble import Preamble
from ntp.envs.coq.project import CoqProject
from ntp.errors import ConfigError, EnvError, InitError
from ntp.types import Proved, Reached, Rejected, TacticError

needs_hammer = pytest.mark.skipif(
    not Path("/usr/libexec/coq-hammer").exists() or not shutil.which("eprover"),
    reason="apt-get install libcoq-hammer eprover cvc4",
)
LOADS = "From Hammer Require Import Hammer Tactics."
# Bool.eqb is in scope once Hammer is loaded; the file's own `eqb` is another one, and false of 0 and 1.
SOURCE = """
Require Import Arith.
Axiom absurd : False.
Definition eqb (a b : nat) := False.
Lemma shadowed : eqb 0 0.
Proof. Admitted.
Section S.
Variable x : nat.
Lemma late (n : nat) : n + x = x + n.
Proof. apply Nat.add_comm. Qed.
End S.
Lemma both (a b : nat) : a = b -> b = a /\\ a + 0 = a.
Proof. intro H. split. symmetry. exact H. auto. Qed.
Lemma early : True /\\ True.
Proof. intuition. Qed.
"""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("auto.", "capital letter"),
        ("Admitted.", "Admitted does not belong"),
        ("Set A. Set B.", "one sentence"),
        ("- ", "capital letter"),
        ("Set (* A", "not closed"),
        ('Redirect "x" Print nat.', "Redirect does not belong"),
    ],
)
def test_what_is_no_command_is_refused(text, reason):
    with pytest.raises(ConfigError, match=reason):
        Preamble((text,))


def test_a_full_stop_may_be_left_out():
    assert Preamble.of(["Set Printing All"], 5).commands == ("Set Printing All.",)


@pytest.mark.parametrize(
    ("command", "loads"),
    [
        (LOADS, True),
        ("Require Import Hammer.Plugin.Hammer.", True),
        ("From Hammer Require Import Tactics.", False),
        ("Set Hammer ATPLimit 5.", False),
    ],
)
def test_what_loads_the_hammer(command, loads):
    assert loads_hammer([command]) == loads


@pytest.mark.parametrize(
    ("messages", "tactic"),
    [
        (["Replace the hammer tactic with: sfirstorder "], "sfirstorder."),
        (
            ["Extracting", "Replace the hammer tactic with:\n\thauto use: in_app_iff, in_rev."],
            "hauto use: in_app_iff, in_rev.",
        ),
        (["Running provers"], ""),
        ([], ""),
    ],
)
def test_what_the_hammer_says_it_found(messages, tactic):
    assert found_tactic(messages) == tactic


def test_only_the_whole_tactic_is_a_hammer():
    assert is_hammer("1: hammer.")
    assert not is_hammer("1: intros; hammer.")


def test_a_missing_program_is_one_line(own_path, tmp_path, monkeypatch):
    monkeypatch.setattr("ntp.envs.coq.hammer.HELPERS_DIRECTORY", str(tmp_path))
    own_path(tmp_path)
    require_hammer.cache_clear()
    try:
        with pytest.raises(
            EnvError, match=r"needs predict, htimeout, a prover .*`apt-get install libcoq-hammer"
        ):
            require_hammer()
    finally:
        require_hammer.cache_clear()


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    directory = tmp_path_factory.mktemp("preamble")
    (directory / "A.v").write_text(SOURCE)
    return directory


@pytest.fixture(scope="module")
def hammered(root):
    make = CoqEnvFactory(
        root=str(root),
        load_paths=[{"flag": "-R", "directory": ".", "name": "A"}],
        preamble=[LOADS, "Set Hammer ATPLimit 3"],
        tactic_timeout_s=10,
        hammer_timeout_s=60,
    )
    with contextlib.closing(make()) as env:
        yield env


@pytest.fixture
def theorems(proofs):
    return {theorem.statement.split()[1]: theorem for theorem, _ in proofs("A.v", SOURCE)}


@pytest.mark.coq
@needs_hammer
def test_a_statement_means_what_it_means_in_its_file(hammered, theorems):
    session = hammered.open(theorems["shadowed"])
    outcome = session.step(session.root, "unfold eqb.")
    assert isinstance(outcome, Reached)
    assert outcome.state.goal.conclusion == "False"


@pytest.mark.coq
@needs_hammer
def test_no_axiom_is_allowed_that_the_reference_does_not_use(hammered, theorems):
    result = hammered.check_script(theorems["both"], "intros. exfalso. hauto use: absurd.")
    assert "absurd" in result.verdict.reason


@pytest.mark.coq
@needs_hammer
def test_the_files_own_proofs_replay_after_the_plugin_was_loaded_and_dropped(hammered, theorems, root):
    """Last to first: each theorem is opened after the preamble of a later one was taken back."""
    source = (root / "A.v").read_text()
    for name in ("early", "both", "late"):
        theorem = theorems[name]
        script = source[theorem.proof.begin : theorem.proof.end]
        assert hammered.check_script(theorem, script).verdict.accepted, name
        assert hammered.check_script(
            theorem, "sauto." if name != "late" else "hauto use: Nat.add_comm."
        ).verdict.accepted


@pytest.mark.coq
@needs_hammer
def test_a_hammer_is_replaced_by_what_it_found(hammered, root, theorems):
    theorem = theorems["late"]
    session = hammered.open(theorem)
    outcome = session.step(session.root, "hammer.")
    assert isinstance(outcome, Proved)
    assert outcome.found
    assert "hammer" not in outcome.found
    assert session.cpu_s > 0
    assert isinstance(session.step(session.root, "intros; hammer."), Rejected)
    result = hammered.check_script(theorem, "Proof. hammer. Qed.")
    assert result.accepted == (outcome.found,)
    # No ATP is needed to check it again.
    with contextlib.closing(
        CoqEnv(CoqProject(root), preamble=Preamble(("From Hammer Require Import Tactics.",)))
    ) as plain:
        assert plain.check_proof(theorem, result.accepted).accepted


@pytest.mark.coq
def test_without_the_preamble_there_is_no_sauto(root, theorems):
    with contextlib.closing(CoqEnv(CoqProject(root))) as env:
        session = env.open(theorems["both"])
        assert isinstance(session.step(session.root, "sauto."), TacticError)


@pytest.mark.coq
@pytest.mark.parametrize("command", ["From Nowhere Require Import Nothing.", "Set Nowhere 3."])
def test_a_preamble_that_fails_is_one_line(root, theorems, command):
    with contextlib.closing(CoqEnv(CoqProject(root), preamble=Preamble((command,)))) as env:
        if command.startswith("Set"):  # Coq warns of an unknown option
            assert env.check_script(theorems["both"], "intros ->. split; auto.").verdict.accepted
        else:
            with pytest.raises((EnvError, InitError), match=r"env\.preamble: .*Nowhere"):
                env.open(theorems["both"])


@pytest.mark.coq
@needs_hammer
def test_a_file_that_the_hammer_itself_loads_is_opened_without_it(stdlib, proofs):
    source = stdlib.read("Arith/Between.v")
    theorem = proofs("Arith/Between.v", source)[0][0]
    with contextlib.closing(CoqEnv(stdlib, preamble=Preamble((LOADS,)))) as env:
        session = env.open(theorem)
        assert isinstance(session.step(session.root, "sauto."), TacticError)
        assert env.check_script(theorem, source[theorem.proof.begin : theorem.proof.end]).verdict.accepted
