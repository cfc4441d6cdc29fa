import pytest

from ntp.envs.lean.syntax import LeanSyntaxError, parse_statement, split_imports, split_prefix, tokens


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("theorem foo : p", "theorem N : p"),
        ("theorem foo (h : p) : q := by\n  simp", "theorem N (h : p) : q"),
        ("theorem A.B.foo.{u, v} {α : Type u} : p := rfl", "theorem A.B.N.{u, v} {α : Type u} : p"),
        ("lemma foo' : p :=\n  bar", "theorem N : p"),
        ("example (x : Nat) : x = x := by rfl", "theorem N (x : Nat) : x = x"),
        ("@[simp, to_additive (attr := simp)] protected theorem foo : p := x", "theorem N : p"),
        ("/-- theorem bar : q -/\ntheorem foo : p := x", "theorem N : p"),
        ("open Nat in\n@[simp]\ntheorem foo : p := x", "open Nat in\ntheorem N : p"),
        (
            "theorem foo (n : Nat := 3) : let x := n; x = n := by simp",
            "theorem N (n : Nat := 3) : let x := n; x = n",
        ),
        ("theorem foo : ∀ n : Nat, n = n\n  | 0 => rfl\n  | n + 1 => rfl", "theorem N : ∀ n : Nat, n = n"),
        ("theorem foo : |x| ≤ 1 := h", "theorem N : |x| ≤ 1"),
        ("theorem foo : p ∧ q where\n  left := a", "theorem N : p ∧ q"),
        ("theorem foo : a = b -- why := not\n := h", "theorem N : a = b -- why := not"),
        ("theorem «a b» : p", "theorem N : p"),
        ('theorem foo : s = ":=" := rfl', 'theorem N : s = ":="'),
    ],
)
def test_statements_are_cut_at_name_and_proof(text, named):
    assert parse_statement(text).named("N") == named


@pytest.mark.parametrize("text", ["", "def f := 1", "theorem", "theorem : p", "theorem foo : (p", "nothing"])
def test_what_states_no_theorem(text):
    with pytest.raises(LeanSyntaxError):
        parse_statement(text)


@pytest.mark.parametrize(
    ("header", "parts"),
    [
        ("", ("", "")),
        ("import A\nimport B.C\n\nopen A", ("import A\nimport B.C", "open A")),
        ("/- Copyright /- nested -/ -/\nimport A -- why\n/-! doc -/\nopen A", ("import A", "open A")),
        ("public import A\nimport all B\nopen C", ("public import A\nimport all B", "open C")),
        ("open A\nimport B", ("", "open A\nimport B")),
        ("prelude\nimport A", ("", "prelude\nimport A")),
        ("import Mathlib", ("import Mathlib", "")),
        ("import A\n/-- doc -/ def f := 1", ("import A", "/-- doc -/ def f := 1")),
    ],
)
def test_imports_are_split_off(header, parts):
    assert split_imports(header) == parts


def test_commands_over_a_declaration_go_with_it():
    assert split_prefix("open A\n\nopen B in\nomit [C] in\n") == ("open A\n\n", "open B in\nomit [C] in")
    assert split_prefix("open A\ntheorem x : p := by simp\n") == ("open A\ntheorem x : p := by simp\n", "")


@pytest.mark.parametrize(
    "prefix",
    [
        "/-- A documented theorem. -/",
        "@[simp]",
        "@[simp, to_additive (attr := simp) add_one]\nprotected",
        "/-- With `theorem` in it. -/\n@[simp] private noncomputable",
        "open B in\n/-- Doc. -/\n@[simp]",
        "-- why\nprotected",
    ],
)
def test_documentation_attributes_and_modifiers_go_with_the_declaration(prefix):
    before = "/-- Another. -/\ntheorem x : p := by\n  exact h\n\n"
    assert split_prefix(f"{before}{prefix}\n") == (before, prefix)
    statement = parse_statement(f"{prefix} theorem A.y (h : p) : p := h".replace("-- why", "-- why\n"))
    assert statement.named("z").endswith("theorem A.z (h : p) : p")


def test_tokens_cover_the_text():
    text = "simp [h', a.b] at ⊢ -- x\n/- y /- z -/ -/ 'c' \"s\\\"t\" «q r»"
    found = list(tokens(text))
    assert [t.text for t in found] == [
        *("simp", "[", "h'", ",", "a.b", "]", "at", "⊢", "-- x", "/- y /- z -/ -/", "'c'", '"s\\"t"', "«q r»")
    ]
    assert all(text[t.begin : t.end] == t.text for t in found)
    assert [t.depth for t in found][1:6] == [0, 1, 1, 1, 0]
