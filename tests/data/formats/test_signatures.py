import pytest

from ntp.data.formats.signatures import read_signature


@pytest.mark.parametrize(
    ("statement", "text", "arguments", "of_type"),
    [
        (
            "@[simp]\nprivate theorem one.{u} (p : Prop) {α : Type u} [Foo α] : -- c\n  p →   p",
            "@[simp] private theorem one.{u} (p : Prop) {α : Type u} [Foo α] : p → p",
            ("(p : Prop)", "{α : Type u}", "[Foo α]"),
            "∀ (p : Prop) {α : Type u} [Foo α], p → p",
        ),
        ("structure S (n : Nat) extends T where\n x : Nat", "structure S (n : Nat)", ("(n : Nat)",), None),
        ("class inductive I | a", "class inductive I", (), None),
        ("def f x y := 3", "def f x y", ("x", "y"), None),
        ("instance : Foo Bar", "instance : Foo Bar", (), "Foo Bar"),
        ("theorem a : let x := 3; |x| = 3", "theorem a : let x := 3; |x| = 3", (), "let x := 3; |x| = 3"),
        ("lemma «a b» : 1 = 1", "lemma «a b» : 1 = 1", (), "1 = 1"),
        ("theorem broken (", "theorem broken (", (), None),
        ("", "", (), None),
    ],
)
def test_the_parts_of_a_declaration_of_lean(statement, text, arguments, of_type):
    signature = read_signature(statement, "lean")
    assert (signature.text, signature.arguments, signature.type) == (text, arguments, of_type)


@pytest.mark.parametrize(
    ("statement", "arguments", "of_type"),
    [
        ("Lemma a (* c *) (n : nat) {m} : n = m.", ("(n : nat)", "{m}"), "forall (n : nat) {m}, n = m"),
        ("Local Lemma a (n : nat) : n = n.", ("(n : nat)",), "forall (n : nat), n = n"),
        ("#[global, local] Lemma a (n : nat) : n = n.", ("(n : nat)",), "forall (n : nat), n = n"),
        ("#[local] Program Definition a n : nat := n.", ("n",), "forall n, nat"),
        ("Polymorphic Definition a@{u} (A : Type@{u}) : Type@{u} := A.", ("(A : Type@{u})",), None),
        ("Fixpoint add (n m : nat) {struct n} : nat := m.", ("(n m : nat)",), "forall (n m : nat), nat"),
        ("Lemma a `{x : A} `(y : B) : C.", ("`{x : A}", "`(y : B)"), "forall `{x : A} `(y : B), C"),
        ("Instance : Foo.", (), "Foo"),
        ("Goal True.", (), None),
    ],
)
def test_the_arguments_and_type_of_a_declaration_of_coq(statement, arguments, of_type):
    signature = read_signature(statement, "coq")
    assert signature.arguments == arguments
    assert of_type is None or signature.type == of_type
    assert signature.text == statement.replace("(* c *) ", "").partition(" :=")[0].removesuffix(".")
