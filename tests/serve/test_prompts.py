import pytest

from ntp.serve.prompts import Prompt, posed, read_conversation, read_prompt


def test_the_last_state_and_text_are_read():
    example = "[CTX]\nimport A\n[/CTX]\n[STATE]\n⊢ p\n[/STATE]\n[TAC]x[/TAC]\n"
    text = f"{example}[CTX]\nB\n[/CTX]\n[STATE]\n⊢ q\n[/STATE]\n[TAC]"
    assert read_prompt(text) == Prompt(state="⊢ q", context="B")
    assert read_prompt("[GOAL]n : nat\n⊢ n = n[PROOFSTEP]") == Prompt(state="n : nat\n⊢ n = n")
    assert read_prompt("Prove:\n```coq\nLemma a : True.\n```\nplease") == Prompt(context="Lemma a : True.")
    assert read_prompt("h : p\n⊢ p") == Prompt(state="h : p\n⊢ p")


def test_examples_of_a_chat_come_before_the_statement():
    said = [
        ("system", "x"),
        ("user", "Lemma a : True."),
        ("assistant", "Proof. exact I. Qed."),
        ("user", "Lemma b : 1 = 1."),
    ]
    assert read_conversation(said).context == "Lemma a : True.\nProof. exact I. Qed.\nLemma b : 1 = 1."
    assert read_conversation([]) == Prompt()


@pytest.mark.parametrize(
    ("state", "statement"),
    [
        ("⊢ True", "Goal True."),
        ("n, m : nat\nH : n = m\n⊢ m = n\n\n⊢ other", "Goal forall (n  m : nat) (H : n = m), m = n."),
        ("f : nat ->\n    nat\n⊢ f 0 = 0", "Goal forall (f : nat -> nat), f 0 = 0."),
        ("n m : nat\n============================\nn = m", "Goal forall (n m : nat), n = m."),
    ],
)
def test_states_are_posed(state, statement):
    text = posed(state, "Require Import Arith.")
    assert text.startswith("Require Import Arith.\n") and statement in text


def test_what_is_no_state_is_not_posed():
    assert posed("nothing", "") == "" and posed("a b\n⊢ c", "") == ""
