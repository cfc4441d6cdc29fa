from pathlib import Path

import pytest

from ntp.envs.coq.project import standard_library
from ntp.errors import ConfigError
from ntp.formalization.readers import read_pairs
from ntp.formalization.typecheck.coq import CoqStatementChecker, guard_statement
from ntp.formalization.typecheck.verdict import TypeOutcome, checker_for
from ntp.types import Rejected

HEADER = "Require Import Arith.\nOpen Scope nat_scope.\nDefinition two := 2."

REFUSED = [
    "",
    "Axiom a : False.",
    "Parameter a : False.",
    "Goal True.",
    "Theorem a : True",
    "Theorem a : True. Theorem b : True.",
    "Theorem a : True. Admitted.",
    "#[local] Theorem a : True.",
    "Fail Theorem a : True.",
    'Redirect "/tmp/x" Theorem a : True.',
    "Timeout 1 Theorem a : True.",
    'Cd "/".',
    "Load evil.",
    'Declare ML Module "extraction_plugin".',
    "Require Import Extraction.",
    "Theorem : True.",
    "Theorem a.b : True.",
    "Theorem a : ltac:(exact True).",
    "Theorem a : ltac : (let x := constr:(True) in exact x).",
    "Theorem a : ltac2:(Control.zero Not_found).",
    "Set Typeclasses Depth 3.",
    "Theorem a : (* True.",
    "Theorem a\x00 : True.",
    "Theorem a : True" + " /\\ True" * 3000 + ".",
]


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_single_statement_never_reaches_coq(text):
    assert isinstance(guard_statement(text), Rejected)


def test_all_published_statements_pass_the_guard(shared_data):
    for pair in read_pairs(shared_data("minif2f_rocq/statements.jsonl")):
        assert guard_statement(pair.formal) == pair.formal


@pytest.fixture(scope="module")
def checker():
    made = CoqStatementChecker(standard_library(), timeout_s=2)
    yield made
    made.close()


@pytest.mark.coq
@pytest.mark.parametrize(
    ("text", "outcome", "message"),
    [
        ("Theorem a : forall n, n + two = S (S n).", "well_typed", ""),
        ("Lemma a (n : nat) : n = n.", "well_typed", ""),
        ("Theorem add_comm : two = two.", "well_typed", ""),  # a name that is taken elsewhere
        ("Theorem a : two = true.", "ill_typed", "expected to have type"),
        ("Theorem a : unknown 1.", "ill_typed", "unknown was not found"),
        ("Theorem a : forall n, .", "ill_typed", "Syntax error"),
        ("Theorem a : exists x, x = x.", "ill_typed", "Cannot infer"),
        ("Theorem a : 1.", "ill_typed", ""),
        ("Example a : nat := 1.", "refused", "opens no proof"),
        ("Theorem a : nat -> nat with b : nat -> nat.", "refused", "not one statement"),
        ("Axiom a : False.", "refused", "does not begin with"),
    ],
)
def test_verdicts(checker, text, outcome, message):
    verdict = checker.check(HEADER, text)
    assert verdict.outcome == outcome
    assert message in verdict.message


@pytest.mark.coq
def test_nothing_that_was_stated_is_there_afterwards(checker):
    assert checker.check(HEADER, "Theorem mine : two = 2.").well_typed
    assert not checker.check(HEADER, "Theorem other : mine = mine.").well_typed
    assert checker.check(HEADER, "Theorem mine : two = 2.").well_typed


@pytest.mark.coq
def test_headers_are_not_mixed_up(checker):
    assert checker.check("Definition k := 1.", "Theorem a : k = 1.").well_typed
    assert checker.check("Definition k := true.", "Theorem a : k = true.").well_typed
    assert not checker.check("", "Theorem a : k = 1.").well_typed
    both = "Require Import List.\nImport ListNotations."
    assert checker.check(both, "Theorem a : [1] = [1].").well_typed
    assert not checker.check("Require Import Arith.", "Theorem a : [1] = [1].").well_typed
    assert checker.check(both, "Theorem a : [1] = [1].").well_typed


@pytest.mark.coq
def test_a_header_that_does_not_load_is_said_to_be_one(checker):
    verdict = checker.check("Require Import Arith.\nRequire Import Nowhere.", "Theorem a : True.")
    assert verdict.outcome == TypeOutcome.HEADER
    assert "Require Import Nowhere." in verdict.message and "Cannot find" in verdict.message
    assert checker.check("Definition open (x : nat", "Theorem a : True.").outcome == TypeOutcome.HEADER
    assert checker.check("", "Theorem a : True.").well_typed


@pytest.mark.coq
def test_the_standard_library_has_the_name_it_has_here(checker):
    header = "From Stdlib Require Import List.\nRequire Import Stdlib.Arith.PeanoNat."
    assert checker.check(header, "Theorem a : length (@nil nat) = 0.").well_typed


@pytest.mark.coq
def test_a_statement_that_runs_for_ever_is_stopped(checker):
    slow = "Fixpoint f (n : nat) := match n with 0 => 1 | S m => f m + f m end."
    text = "Theorem a : (eq_refl : f 60 = f 61) = eq_refl."
    assert checker.check(slow, text).outcome in (TypeOutcome.TIMEOUT, TypeOutcome.EXCEEDED)
    assert checker.check(slow, "Theorem a : f 0 = 1.").well_typed


@pytest.mark.coq
def test_a_statement_writes_no_file(checker, tmp_path):
    path = Path(tmp_path, "written")
    for text in (f'Redirect "{path}" Theorem a : True.', f'Theorem a : True. Redirect "{path}" Print nat.'):
        assert checker.check("", text).outcome == TypeOutcome.REFUSED
    assert not list(tmp_path.iterdir())


@pytest.mark.coq
def test_published_statements_type_check(checker, shared_data):
    pairs = read_pairs(shared_data("minif2f_rocq/statements.jsonl"))
    plain = [pair for pair in pairs if pair.header in ("", "Require Import Arith.")][:8]
    assert plain
    assert all(checker.check(pair.header, pair.formal).well_typed for pair in plain)


def test_there_has_to_be_a_checker():
    with pytest.raises(ConfigError, match="statements of lean3 cannot be type-checked"):
        checker_for("lean3", {})
