import pytest

from ntp.data.coq.declarations import declared, read_command
from ntp.data.coq.declared_premises import declared_premises
from ntp.data.coq.scopes import Scopes
from ntp.envs.coq.tokens import flatten, tokens


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Lemma a (x : nat) : x = x.", "a"),
        ("#[local, export(x)] Local Program Definition a' := 1.", "a'"),
        ("Time Timeout 3 Theorem été : True.", "été"),
        ("Theorem a : match 0 with 0 => True | _ => False end with b : True.", "a b"),
        ("Fixpoint a n := match n with 0 => 0 | S n => b n end with b n := a n where \"x + y\" := z.", "a b"),
        ("Example a (* Lemma b *) : True.", "a"),
        ("Instance a : C.", "a"),
        ("Instance : C.", ""),
        ("Declare Instance a : C.", "a"),
        ("Existing Instance a.", ""),
        ("Coercion a : b >-> c.", ""),
        ("Coercion a (x : b) : c := d.", "a"),
        ("Canonical Structure a := b.", "a"),
        ("Canonical a.", ""),
        ("Inductive a := .", "a"),
        ("Inductive a (x : {y | P y}) : Set -> Prop := | b : a | c (z : (q | r)) : a.", "a b c"),
        ("Inductive a := b with c := d | e.", "a b c d e"),
        ("Inductive a : Prop := b : (match x with y | z => w end) -> a | c.", "a b c"),
        ("Inductive a : nat -> Prop := b : a 0 where \"[ x ]\" := (a x).", "a b"),
        ("CoInductive a := b : a -> a.", "a b"),
        ("Variant a := b.", "a b"),
        ("Record a := { b : nat ; c : {x | P x} ; d := 3 }.", "a Build_a b c d"),
        ("Record a : Type := b { #[canonical=no] c :> nat ; _ : nat ; }.", "a b c"),
        ("Structure a := b { }.", "a b"),
        ("Class a (T : Type) := b : T.", "a b"),
        ("Class a := { b : nat }.", "a Build_a b"),
        ("Class a.", "a Build_a"),
        ("Axioms a b : True.", "a b"),
        ("Parameter Inline(30) a : True.", "a"),
        ("Parameters (a b : True) (c : False).", "a b c"),
        ("Variables a b : True.", "a b"),
        ("Let a := 1.", "a"),
        ("Notation a x := (f x).", "a"),
        ("Notation \"a + b\" := (f a b).", ""),
        ("Scheme a := Induction for b Sort Prop with c := Minimality for d Sort Set.", "a c"),
        ("Combined Scheme a from b, c.", "a"),
        ("Derive Inversion_clear a with (forall x, P x).", "a"),
        ("Derive a SuchThat (a = 1) As b.", "a b"),
        ("Add Parametric Morphism A : f with signature eq ==> eq as a.", "a"),
        ("Add Relation T R reflexivity proved by r as a.", "a"),
        ("Add Ring a : b.", ""),
        ("Primitive a := #int63_add.", "a"),
        ("Ltac a := auto.", ""),
        ("Definition.", ""),
        ("intros a.", ""),
    ],
)  # fmt: skip
def test_names_declared(text, names):
    found = declared(read_command(text), in_section=False)
    assert " ".join(d.name for d in found) == names
    for d in found:
        assert d.name in text[d.span.begin : d.span.end] or d.name.startswith("Build_")


@pytest.mark.parametrize("text", ["Variable a : T.", "Hypotheses (a b : T).", "Let a := 1."])
def test_a_section_keeps_its_variables(text):
    assert declared(read_command(text), in_section=True) == []


def test_modules_stay_in_full_names_and_sections_do_not():
    source = """
    Module M (X : T with Definition t := nat).
      Section S. Lemma a : True. Proof. exact I. Qed. End S.
      Module Alias := N X.
      Module Type U. Parameter p : nat. End U.
      Module Q <: U with Definition p := 1 := R.
      Definition b := 1.
    End M.
    Declare Module D : T.
    Module Import I. Definition c := 1. End I.
    Module Type V := U.
    Definition d := 1.
    """
    names = [premise.full_name for premise in declared_premises(source, "Lib.F", "F.v")]
    assert names == ["Lib.F.M.a", "Lib.F.M.U.p", "Lib.F.M.b", "Lib.F.I.c", "Lib.F.d"]


def test_every_premise_is_the_source_over_its_span():
    source = "(* ⊢ *) Inductive é := α | β (n : nat). Definition x := 1."
    found = list(declared_premises(source, "F", "F.v"))
    assert [source[p.span.begin : p.span.end] for p in found if p.span] == [p.statement for p in found]
    assert [p.statement for p in found][1:3] == ["α", "β (n : nat)"]


def test_a_source_with_an_open_comment_is_read_up_to_it():
    found = declared_premises("Definition a := 1. (* Definition b := 1.", "F", "F.v")
    assert [premise.full_name for premise in found] == ["F.a"]


def test_section_names_are_taken_out_of_what_coq_prints():
    scopes = Scopes("L.F")
    for text in ("Section S.", "Module M.", "Section S."):
        assert scopes.follow(read_command(text))
    assert scopes.without_sections("L.F.S.M.S.a") == "L.F.M.a"
    assert scopes.without_sections("L.F.S.M.b.c") == "L.F.M.b.c"
    assert scopes.without_sections("L.G.S.a") == "L.G.S.a"
    assert scopes.full_name("a") == "L.F.M.a"
    assert scopes.in_section
    scopes.follow(read_command("End S."))
    assert not scopes.in_section
    assert not scopes.follow(read_command("Definition a := 1."))


def test_tokens_and_flattening():
    assert [t.text for t in tokens("a.b' := (* x (* y *) *) \"c. d\" ||3 {| é |}.")] == [
        "a.b'", ":=", '"c. d"', "||", "3", "{|", "é", "|}", ".",
    ]  # fmt: skip
    assert flatten('a  (* "*)" *)\n b "x  (* y"  .') == 'a b "x  (* y" .'
