import pytest

from ntp.data.lean.declarations import find_declarations, find_imports
from ntp.envs.lean.syntax import LeanSyntaxError

NASTY = """\
/-
Copyright: theorem no : False /- nested -/ theorem neither : False
-/
module
public import Mathlib.A
import all B.C -- import D
/-! # theorem title -/
open Nat
namespace A.B
/-- A doc with theorem x. -/
@[simp, to_additive (attr := simp) "theorem in a string"]
private theorem one (p : Prop) (h : p := by trivial) : let x := 3; p → "theorem q := by" = "" := by
  intro -- theorem three
  exact h

-- a comment after it
section
variable (n : Nat)
lemma two : n = n := by
  have theorem' := 3
  open Classical in
  rfl
end
open Nat in
/-- doc -/
theorem _root_.X.y.{u} {α : Sort u} : ∀ x : α, x = x
  | x => rfl
mutual
theorem m1 : True := trivial
theorem m2 : True := trivial
end
structure S (n : Nat) extends T where
  x : Nat
deriving Repr
deriving instance DecidableEq for S
class inductive I | a | b
instance (priority := low) inst1 : Inhabited S where
  default := ⟨3⟩
instance : Inhabited S := ⟨3⟩
noncomputable def f : Nat → Nat
  | 0 => 1
  | n+1 => f n where
  g := 3
end B
theorem z : True := trivial theorem w : True := by trivial
#check z
axiom ax : 1 = 1
@[local instance] abbrev ab := 3
example : True := trivial
end A
theorem last (lemma : Nat) : lemma = lemma :=
  rfl /- c /- nested theorem -/ -/
"""


@pytest.fixture(scope="module")
def found():
    return {d.full_name: d for d in find_declarations(NASTY)}


def test_names_have_the_namespaces_around_them(found):
    assert [(d.kind, name) for name, d in found.items()] == [
        ("theorem", "A.B.one"), ("lemma", "A.B.two"), ("theorem", "X.y"), ("theorem", "A.B.m1"),
        ("theorem", "A.B.m2"), ("structure", "A.B.S"), ("class", "A.B.I"), ("instance", "A.B.inst1"),
        ("def", "A.B.f"), ("theorem", "A.z"), ("theorem", "A.w"), ("axiom", "A.ax"), ("abbrev", "A.ab"),
        ("theorem", "last"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "statement", "proof"),
    [
        (
            "A.B.one",
            '@[simp, to_additive (attr := simp) "theorem in a string"]\nprivate theorem one (p : Prop) '
            '(h : p := by trivial) : let x := 3; p → "theorem q := by" = ""',
            ":= by\n  intro -- theorem three\n  exact h",
        ),
        ("A.B.two", "lemma two : n = n", ":= by\n  have theorem' := 3\n  open Classical in\n  rfl"),
        ("X.y", "theorem _root_.X.y.{u} {α : Sort u} : ∀ x : α, x = x", "| x => rfl"),
        ("A.B.m2", "theorem m2 : True", ":= trivial"),
        ("A.B.S", "structure S (n : Nat) extends T where\n  x : Nat\nderiving Repr", ""),
        ("A.B.inst1", "instance (priority := low) inst1 : Inhabited S", "where\n  default := ⟨3⟩"),
        ("A.B.f", "noncomputable def f : Nat → Nat", "| 0 => 1\n  | n+1 => f n where\n  g := 3"),
        ("A.z", "theorem z : True", ":= trivial"),
        ("A.w", "theorem w : True", ":= by trivial"),
        ("A.ax", "axiom ax : 1 = 1", ""),
        ("last", "theorem last (lemma : Nat) : lemma = lemma", ":=\n  rfl"),
    ],
)
def test_statements_end_where_proofs_begin(found, name, statement, proof):
    declared = found[name]
    assert declared.statement(NASTY) == statement
    assert NASTY[declared.proof.begin : declared.proof.end] == proof
    assert NASTY[declared.span.begin : declared.span.end].startswith(statement)
    assert declared.proof.end == declared.span.end


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", []),
        ("theorem", []),
        ("theorem a : True := trivial", ["a"]),
        ('def s := "theorem b : True := trivial"', ["s"]),
        ("-- theorem b\n/- theorem c /- -/ -/ theorem a : True := trivial", ["a"]),
        ("section A.B\nend B\nnamespace C\nend C\nend A\ntheorem a : True := trivial", ["a"]),
        ("namespace A\nsection\nend\ntheorem a : True := trivial\nend A\ndef b := 1", ["A.a", "b"]),
        ("end\nend A.B\ndef a := 1", ["a"]),
        ("theorem «a b».c : True := trivial", ["«a b».c"]),
        ("theorem a : True := by\n  exact lemma\nlemma b : True := trivial", ["a", "b"]),
        ("def theorem' := 1\ndef x.theorem := 2", ["theorem'", "x.theorem"]),
        ("noncomputable section\ndef a := 1\nend", ["a"]),
        ("theorem a : 'a' = '\"' := by decide\ndef b := 1", ["a", "b"]),
    ],
)
def test_only_declarations_are_found(text, names):
    assert [d.full_name for d in find_declarations(text)] == names


@pytest.mark.parametrize("text", ['def a := "', "/- theorem", "def a := (1", "def a := 1)"])
def test_what_cannot_be_cut_is_refused(text):
    with pytest.raises(LeanSyntaxError):
        find_declarations(text)


def test_imports_stand_first():
    assert find_imports(NASTY) == ("Mathlib.A", "B.C")
    assert find_imports("prelude\nimport Init.Core\nimport «a-b».C import D\nopen Nat -- import E") == (
        "Init.Core", "a-b.C", "D"
    )  # fmt: skip
    assert find_imports("def a := 1\nimport B") == ()
