"""Scripts that fail are completed: by hand-made cases over toy theorems, and in Coq."""

import contextlib
import shutil

import pytest

from ntp.envs.coq.factory import CoqEnvFactory
from ntp.envs.coq.script import CoqScriptSyntax
from ntp.envs.script import PlainSyntax
from ntp.envs.toy import ToyEnv, ToyNode, toy_theorem
from ntp.search.backtrack import ClosingBacktracker
from ntp.search.interface import Budget
from ntp.types import Proved

# `split` makes two goals; `close` proves the left one at once, the right one only before `wrong`.
LEFT = ToyNode("left", {"close": Proved()})
DEAD = ToyNode("dead", {})
RIGHT = ToyNode("right", {"close": Proved(), "wrong": DEAD})
WHOLE = ToyNode("whole", {"split": (LEFT, RIGHT), "bad": (LEFT, DEAD), "close": Proved()})
STUBBORN = ToyNode("stubborn", {"split": (LEFT, DEAD)})
FREE = Budget(1)


def complete(root, script, budget=FREE, closers=("close",), names=()):
    env = ToyEnv({"t": root})
    theorem = toy_theorem("t")
    backtracker = ClosingBacktracker(env, PlainSyntax(), closers)
    return backtracker.complete(theorem, env.check_script(theorem, script), names, budget)


@pytest.mark.parametrize(
    ("root", "script", "completed"),
    [
        (WHOLE, "split", "split close close"),  # the goals that are left are closed one by one
        (WHOLE, "split close wrong oops", "split close close"),  # undone to where the goal came to the front
        (WHOLE, "bad close oops", "close"),  # undone to before the branching
        (WHOLE, "oops", "close"),
        (STUBBORN, "split close oops", None),
    ],
)
def test_toy_scripts(root, script, completed):
    found = complete(root, script)
    assert (None if found is None else found.split()) == (None if completed is None else completed.split())


def test_the_budget_ends_it():
    assert complete(WHOLE, "split", Budget(1, max_env_steps=1)) is None


def test_names_are_given_to_closers_and_strange_ones_are_left_out():
    root = ToyNode("whole", {"use A.b, c": Proved()})
    closers = ("use {names}",)
    assert complete(root, "oops", closers=closers, names=["A.b", "c; admit", "c", "A.b"]) is None  # two words
    env, theorem = ToyEnv({"t": ToyNode("whole", {"use:A": Proved()})}), toy_theorem("t")
    found = ClosingBacktracker(env, PlainSyntax(), ("use:{names}",)).complete(
        theorem, env.check_script(theorem, "oops"), ["A; admit", "A"], FREE
    )
    assert found == "use:A"
    assert (
        ClosingBacktracker(env, PlainSyntax(), ("use:{names}",)).complete(
            theorem, env.check_script(theorem, "oops"), [], FREE
        )
        is None
    )


SOURCE = """
Require Import Arith List.
Lemma both (A : Type) (l m : list A) :
  length (l ++ m) = length m + length l /\\ length (rev l) = length l.
Proof. Admitted.
"""


@pytest.mark.coq
@pytest.mark.skipif(not shutil.which("eprover"), reason="apt-get install libcoq-hammer eprover cvc4")
@pytest.mark.parametrize(
    "script",
    [
        "Proof. split. - rewrite app_length. apply Nat.add_comm. - apply no_such_lemma. Qed.",
        "Proof. split. - exact I. - apply rev_length. Qed.",
        "Proof. split. { rewrite app_length. } Qed.",
    ],
)
def test_coq_scripts_are_completed_with_the_names_that_exist(tmp_path, proofs, script):
    (tmp_path / "A.v").write_text(SOURCE)
    ((theorem, _),) = proofs("A.v", SOURCE)
    make = CoqEnvFactory(
        root=str(tmp_path),
        load_paths=[{"flag": "-R", "directory": ".", "name": "A"}],
        preamble=["From Hammer Require Import Tactics"],
        tactic_timeout_s=20,
    )
    names = ["app_length", "no_such_lemma", "rev_length", "Nat.add_comm"]
    with contextlib.closing(make()) as env:
        result = env.check_script(theorem, script)
        assert not result.verdict.accepted
        backtracker = ClosingBacktracker(env, CoqScriptSyntax(), ("sauto.", "hauto use: {names}."))
        found = backtracker.complete(theorem, result, names, FREE)
        assert found is not None
        assert found.startswith("split.")
        assert "no_such_lemma" not in found
        assert env.check_script(theorem, found).verdict.accepted
