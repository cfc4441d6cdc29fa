"""Whole scripts of somebody who cheats where the hammer is at hand: none is a proof or leaves a file."""

import contextlib
import json
import shutil
from pathlib import Path

import pytest

from ntp.envs.coq.factory import CoqEnvFactory

pytestmark = [
    pytest.mark.coq,
    pytest.mark.skipif(
        not Path("/usr/libexec/coq-hammer").exists() or not shutil.which("eprover"),
        reason="apt-get install libcoq-hammer eprover cvc4",
    ),
]

SOURCE = """
Axiom absurd : False.
Ltac sneak := give_up.
Lemma first : True.
Proof. exact I. Qed.
Lemma wrong : forall n : nat, n = 0.
Proof. Admitted.
"""
SCRIPTS = json.loads(Path(__file__).with_name("hostile_scripts.json").read_text(encoding="utf-8"))
# What only the hammer's tactics and commands make possible.
WITH_HAMMER = [
    "sauto use: absurd.",
    "hauto use: absurd.",
    "best use: absurd.",
    "qauto use: absurd.",
    "sfirstorder use: absurd.",
    "srun eauto use: absurd.",
    "intro n. - hauto use: absurd. Qed.",
    "intro n. destruct n. { sauto. } { hauto use: absurd. } Qed.",
    "hauto use: wrong.",
    "sauto use: first, wrong.",
    "intro n; hammer.",
    "try hammer. Admitted.",
    "first [ hammer | give_up ].",
    "idtac; hammer. Qed.",
    "hammer || admit.",
    "all: hammer.",
    'hammer_hook "a" "b".',
    "predict 16.",
    "Hammer_version.",
    "Set Hammer Debug. sauto use: absurd. Qed.",
    "Set Hammer ATPLimit 100000. intro n. reflexivity. Qed.",
    "Unset Hammer ClosureMode. hauto use: absurd. Qed.",
    "Hammer_cleanup. sneak. Qed.",
    "From Hammer Require Import Hammer. intro n. reflexivity. Qed.",
    'Declare ML Module "coq-hammer.plugin". intro n. reflexivity. Qed.',
    "Hint Resolve absurd : shints. sauto. Qed.",
    "sauto; give_up.",
    "sauto || sneak.",
    "do 3 (try sauto); sneak.",
    "intro n. rewrite JMeq.JMeq_eq. Qed.",
    "intro n. exfalso. srun eauto use: absurd.",
    "hammer. Qed. Lemma more : True. hammer. Qed.",
    "Abort. Lemma wrong : True. hammer. Qed.",
    "Restart. hammer use: absurd. Qed.",
]


@pytest.fixture(scope="module")
def env(tmp_path_factory):
    directory = tmp_path_factory.mktemp("hammered")
    (directory / "A.v").write_text(SOURCE)
    make = CoqEnvFactory(
        root=str(directory),
        load_paths=[{"flag": "-R", "directory": ".", "name": "A"}],
        preamble=["From Hammer Require Import Hammer Tactics", "Set Hammer ATPLimit 1"],
        tactic_timeout_s=2,
        hammer_timeout_s=5,
    )
    with contextlib.closing(make()) as env:
        yield env


@pytest.fixture
def wrong(proofs):
    return next(t for t, _ in proofs("A.v", SOURCE) if "wrong" in t.statement)


@pytest.fixture
def first(proofs):
    return next(t for t, _ in proofs("A.v", SOURCE) if "first" in t.statement)


def test_there_are_sixty_scripts():
    assert len({*SCRIPTS, *WITH_HAMMER}) >= 60


def test_no_hostile_script_is_a_proof_with_the_hammer_at_hand(env, wrong, first):
    before = sorted(path.name for path in env.project.root.iterdir())
    accepted = [text for text in (*WITH_HAMMER, *SCRIPTS) if env.check_script(wrong, text).verdict.accepted]
    assert accepted == []
    assert sorted(path.name for path in env.project.root.iterdir()) == before
    assert env.check_script(first, "sauto.").verdict.accepted
