import pytest

from ntp.envs.coq.script import CoqScriptSyntax
from ntp.envs.coq.syntax import guard

SYNTAX = CoqScriptSyntax()


@pytest.mark.parametrize(
    ("tactic", "components"),
    [
        ("auto.", ["auto"]),
        ("auto .", ["auto"]),
        ("(auto).", ["auto"]),
        ("( ( auto ) ).", ["auto"]),
        ("1: auto.", ["auto"]),
        ("auto (* a comment; with . signs *).", ["auto"]),
        ("auto;auto.", ["auto", "auto"]),
        ("(intros; auto).", ["intros", "auto"]),
        ("intros ;( auto ; simpl ).", ["intros", "auto", "simpl"]),
        ("(intros) ; [ auto|simpl ].", ["(intros); [auto|simpl]"]),
        ("split; [auto | simpl]; trivial.", ["split; [auto | simpl]", "trivial"]),
        ("try (auto; simpl).", ["try (auto; simpl)"]),
        ("match goal with |- _ => auto; simpl end; trivial.",
         ["match goal with |- _ => auto; simpl end", "trivial"]),
        ("rewrite <- (f_equal  S H), H2  in *.", ["rewrite <- (f_equal S H), H2 in *"]),
        ("destruct x as [ | n IH ].", ["destruct x as [ | n IH]"]),
        ('idtac "a;  b"; auto.', ['idtac "a;  b"', "auto"]),
        ("apply (@foo _ x.y).", ["apply (@foo _ x.y)"]),
        ("exists (a , b).", ["exists (a, b)"]),
        ("2: auto.", ["2: auto"]),
        ("all:auto.", ["all:auto"]),
        ("intros x₁ ∀y.", ["intros x₁ ∀y"]),
        ("auto with * .", ["auto with *"]),
        (";.", [";."]),
    ],
)  # fmt: skip
def test_components(tactic, components):
    assert SYNTAX.components(tactic) == components


@pytest.mark.parametrize("tactic", ["auto with *.", "apply H; (simpl ; auto).", "rewrite (* x *) H ."])
def test_joined_components_are_one_sentence_and_stay_as_they_are(tactic):
    joined = SYNTAX.join(SYNTAX.components(tactic))
    assert isinstance(guard(joined), str)
    assert SYNTAX.join(SYNTAX.components(joined)) == joined


@pytest.mark.parametrize("broken", ["auto (* .", '"', "(", ")", "", ".", "end; auto.", "]];[["])
def test_broken_texts_have_components_too(broken):
    assert len(SYNTAX.components(broken)) >= 1
