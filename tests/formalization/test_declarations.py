import pytest

from ntp.formalization.declarations import cut_statement, first_statement, prover_of


@pytest.mark.parametrize(
    ("formal", "header", "prover"),
    [
        ("Theorem a : True.", "", "coq"),
        ("theorem a : True", "import Mathlib", "lean"),
        ("theorem (h : Fact p.Prime) : p = p", "import Mathlib", "lean"),
        ("theorem a : true :=", "import .common\n", "lean3"),
        ('lemma fixes x shows "x = x"', "", "isabelle"),
        ("1 + 1 = 2", "", None),
    ],
)
def test_the_prover_of_a_statement(formal, header, prover):
    assert prover_of(formal, header) == prover


def test_what_a_statement_needs_stays_before_it():
    text = "Definition two := 2.\n(* why *) Theorem t :\n  two = 2.\nProof. reflexivity. Qed."
    assert cut_statement(text, "coq") == ("Definition two := 2.", "Theorem t : two = 2.")


@pytest.mark.parametrize(
    ("answer", "prover", "statement"),
    [
        ("Theorem a : x.1 = 2.\nProof. auto. Qed.\nTheorem b : True.", "coq", "Theorem a : x.1 = 2."),
        ("Here:\n```coq\nTheorem a :\n True.\n```\nDone.", "coq", "Theorem a : True."),
        ("Axiom f : False. Theorem a : False.", "coq", "Theorem a : False."),
        ("Theorem a : forall x", "coq", "Theorem a : forall x"),
        ("theorem a : 1 = 1 := by rfl\n\ntheorem b : True", "lean", "theorem a : 1 = 1"),
        (
            "Sure!\n```lean\ntheorem a (x : ℕ) :\n  x = x := by\n  rfl\n```",
            "lean",
            "theorem a (x : ℕ) :\n  x = x",
        ),
        ("I do not know.", "lean", "I do not know."),
    ],
)
def test_the_first_statement_of_an_answer(answer, prover, statement):
    assert first_statement(answer, prover) == statement
