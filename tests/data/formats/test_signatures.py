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


def test_the_parts_of_a_declaration_of_coq():
    signature = read_signature("Lemma a (* c *) (n : nat) {m} : n = m.", "coq")
    assert signature.text == "Lemma a (n : nat) {m} : n = m"
    assert signature.type == "forall (n : nat) {m}, n = m"
