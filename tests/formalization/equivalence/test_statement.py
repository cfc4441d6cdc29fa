import pytest

from ntp.formalization.equivalence.statement import read_statement
from ntp.types import Rejected


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("forall n, n = n", "forall n, n = n"),
        ("forall n, n = n.", "forall n, n = n"),
        ("Lemma foo : 1 = 1.", "1 = 1"),
        ("Theorem foo (n : nat) {m} : n = m.", "forall (n : nat) {m}, n = m"),
        ("Theorem foo n\n  (f : nat -> nat) : f n = (let x := n in f x).", None),
        ("forall x, (* a comment. *) x = x", "forall x, x = x"),
        ('Lemma s : "a. b" = "c"%string.', '"a. b" = "c"%string'),
        ("1 = 1...", None),
    ],
)
def test_a_term_or_a_declaration_is_read(text, term):
    found = read_statement(text)
    if term is not None:
        assert found == term
    elif "let" in text:
        assert found == "forall n (f : nat -> nat), f n = (let x := n in f x)"
    else:
        assert isinstance(found, Rejected)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("(* only a comment *)", "empty"),
        ("True. Axiom bad : False", "not one sentence"),
        ("True) (x := True", "brackets"),
        ("True). Definition y := (True", "brackets"),
        ("[ True", "brackets"),
        ("True (* open", "not one term"),
        ('"open', "not one sentence"),
        ("ltac:(admit)", "runs code"),
        ("forall x, ltac2:(ltac1:(admit))", "runs code"),
        ("ntp_reference", "ntp_"),
        ("Foo.ntp_candidate_0", "ntp_"),
        ("Lemma foo := True.", "without a name and a type"),
        ("Lemma foo : True := I.", "with a body"),
        ("Theorem : True.", "without a name"),
        ("True\x00", "control character"),
        ("True /\\ " * 3000 + "True", "longer than"),
    ],
)
def test_anything_else_is_refused(text, reason):
    found = read_statement(text)
    assert isinstance(found, Rejected)
    assert reason in found.reason
