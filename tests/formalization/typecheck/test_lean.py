import sys
from pathlib import Path

import pytest

from ntp.envs.lean.factory import LeanReplFactory
from ntp.errors import ConfigError
from ntp.formalization.readers import read_pairs
from ntp.formalization.typecheck.factory import make_checker
from ntp.formalization.typecheck.lean import guard_statement
from ntp.formalization.typecheck.verdict import TypeOutcome
from ntp.types import Rejected

STANDIN = [sys.executable, "-S", "-E", str(Path(__file__).parents[2] / "standin")]

REFUSED = [
    "",
    "axiom a : False",
    "theorem a : True := trivial",
    "theorem a : True := by sorry",
    "theorem a : True\ntheorem b : True",
    "theorem a : True\n#eval 1",
    "theorem a : True\nend Foo",
    "@[simp] theorem a : True",
    "theorem a : (True",
    "theorem a (x : ℕ)",
    "theorem «a b» : True",
    "theorem : True",
    "theorem a : by_elab return 1",
    "theorem a : (by native_decide : True) = trivial",
    "theorem a : IO.FS.readFile",
    "def a : Nat",
    "set_option maxHeartbeats 0 in theorem a : True",
    "open Nat in theorem a : True",
]


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_single_statement_never_reaches_lean(text):
    assert isinstance(guard_statement(text), Rejected)


def test_nearly_all_published_statements_pass_the_guard(shared_data):
    pairs = read_pairs(shared_data("minif2f/lean4.jsonl"))
    refused = [pair.id for pair in pairs if isinstance(guard_statement(pair.formal), Rejected)]
    assert len(refused) <= 5, refused


@pytest.fixture
def checker():
    made = make_checker(LeanReplFactory(command=STANDIN, tactic_timeout_s=3), 10)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("theorem a (p q : Prop) (h : p ∧ q) : q ∧ p", TypeOutcome.WELL_TYPED),
        ("lemma a (p : Prop) :\n p → p", TypeOutcome.WELL_TYPED),
        ("theorem a (p : Prop) : p → unknown", TypeOutcome.ILL_TYPED),
        ("theorem a (p : Prop) : p := by sorry", TypeOutcome.REFUSED),
    ],
)
def test_verdicts_through_the_repl(checker, text, outcome):
    verdict = checker.check("", text)
    assert verdict.outcome == outcome, verdict.message
    assert bool(verdict.message) == (outcome != TypeOutcome.WELL_TYPED)


def test_environments_that_state_nothing_are_refused():
    with pytest.raises(ConfigError, match="env=coq or env=lean_repl"):
        make_checker(object(), 10)
