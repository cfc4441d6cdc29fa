import pytest

from ntp.envs.lean.script import LeanScriptSyntax

SYNTAX = LeanScriptSyntax()


@pytest.mark.parametrize(
    ("tactic", "components"),
    [
        ("simp", ["simp"]),
        (" simp  [foo,  bar] -- why", ["simp [foo, bar]"]),
        ("(simp)", ["simp"]),
        ("(simp; omega)", ["simp", "omega"]),
        ("intro x; (cases x ; simp)", ["intro x", "cases x", "simp"]),
        ("constructor <;> simp", ["constructor <;> simp"]),
        ("constructor <;> simp; rfl", ["constructor <;> simp", "rfl"]),
        ("(a) <;> (b)", ["(a) <;> (b)"]),
        ("exact ⟨a; b⟩", ["exact ⟨a; b⟩"]),
        ("simp /- one; two -/ at h", ["simp at h"]),
        ("induction n with\n| zero => rfl\n| succ n ih => simp; omega",
         ["induction n with\n| zero => rfl\n| succ n ih => simp; omega"]),
        ("exact (", ["exact ("]),
        ("", [""]),
    ],
)  # fmt: skip
def test_components(tactic, components):
    found = SYNTAX.components(tactic)
    assert found == components
    assert SYNTAX.components(SYNTAX.join(found)) == found
