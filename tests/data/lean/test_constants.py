import pytest

from ntp.data.lean.constants import Constant, ask_lean, declared_name, named_constants
from ntp.envs.lean.protocol import Message, Position, Reply
from ntp.types import Goal


@pytest.mark.parametrize(
    ("constant", "name"),
    [
        ("Nat.add_comm", "Nat.add_comm"),
        ("_private.Small.Basic.0.Small.half", "Small.half"),
        ("_private.0.half", "half"),
        ("Small.f.match_1", "Small.f"),
        ("Small.f.eq_2", "Small.f"),
        ("Small.f.proof_1_3", "Small.f"),
        ("Small.f._simp_1", "Small.f"),
        ("_auxLemma.7", ""),
        ("«term_+_».x", "«term_+_».x"),
        ("Nat.rec", "Nat.rec"),
    ],
)
def test_what_lean_generates_counts_as_what_it_stands_beside(constant, name):
    assert declared_name(constant) == name


@pytest.mark.parametrize(
    ("tactic", "named"),
    [
        ("rw [Nat.add_comm, mul_comm]", ["Nat.add_comm", "Nat.mul_comm"]),
        ("exact h.trans", []),
        ("simp [add_comm] -- mul_comm", ["Int.add_comm", "Nat.add_comm"]),
        ("intro x; exact And.intro x x", ["And.intro"]),
        ("exact _root_.Nat.mul_comm 1 2", ["Nat.mul_comm"]),
        ("exact trans", []),
        ('exact foo "mul_comm"', []),
        ("exact (", []),
    ],
)
def test_a_name_may_leave_out_namespaces_but_is_no_hypothesis_and_no_tactic(tactic, named):
    constants = ["Nat.mul_comm", "Nat.add_comm", "Int.add_comm", "And.intro", "Eq.trans", "Nat"]
    goal = Goal(("case left", "h trans : 1 = 2"), "2 = 3")
    assert named_constants(tactic, constants, [goal]) == named


def test_lean_says_types_and_what_is_a_proof():
    asked = []

    def command(text):
        asked.append(text)
        says = [("info", "@Nat.add_comm : ∀ (n m : ℕ),\n  n + m = m + n"), ("info", "⋯ : _ ∧ True")]
        says += [
            ("info", "Nat : Type"),
            ("error", "type mismatch"),
            ("error", "unknown"),
            ("error", "unknown"),
        ]
        places = enumerate(says, start=1)
        return Reply(env=1, messages=tuple(Message(s, d, Position(line, 0)) for line, (s, d) in places))

    assert ask_lean(["Nat.add_comm", "Nat", "gone", "no name"], command) == [
        Constant("Nat.add_comm", "∀ (n m : ℕ),\n  n + m = m + n", True),
        Constant("Nat", "Type", False),
        Constant("gone", "", False),
    ]
    assert asked[0].splitlines()[:2] == [
        "#check @_root_.Nat.add_comm", "#check And.intro @_root_.Nat.add_comm trivial"
    ]  # fmt: skip
    assert ask_lean([], command) == [] and len(asked) == 1
