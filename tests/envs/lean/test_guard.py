"""What the guard lets pass. What it must refuse is also among the contract's hostile texts."""

import json

import pytest

from ntp.envs.lean.guard import MAX_CHARACTERS, assemble, guard
from ntp.types import Rejected

GOOD = [
    "rfl",
    "simp",
    "intro h",
    "exact ⟨h.2, h.1⟩",
    "rcases h with ⟨x, hx | hx⟩",
    "rw [← Nat.add_comm a b, h'] at h₁ ⊢",
    "simp only [mul_comm, Finset.sum_range_succ', f '' s] at *",
    "have h : a = b := by\n  simp\n  ring",
    "calc a = b := by simp\n  _ = c := h",
    "set_option maxHeartbeats 400000 in nlinarith [sq_nonneg (a - b)]",
    "open Classical in exact dif_pos h",
    "obtain ⟨x, rfl⟩ : ∃ x, x = y := ⟨y, rfl⟩",
    "refine' fun x hx => _",
    "· simp [h]",
    "case inl h => exact h.elim",
    "by_cases h : x ∈ s <;> simp [h]",
    "exact (Finset.card_le_univ _).trans_lt (by norm_num)",
    "simp (config := { decide := true }) only [h]",
    "exact f.toFun x⁻¹' s",
    "aesop (add norm simp foo)",
    "rw [show (2 : ℝ) = 1 + 1 by norm_num]",
    "exact?",
    "omega",
    "decide",
    "exact congr_arg (fun p : ℕ × ℕ => p.1) h",
    "refine ⟨fun h ↦ ?_, fun h ↦ ?_⟩",
    "exact ‹_›",
    "conv_lhs => rw [h]",
    "exact h «my name»",
    "nth_rw 2 [← h]",
    "rename_i inst x_ih",
    "norm_num [Nat.unsafeFoo]",
]


@pytest.mark.parametrize("text", GOOD[:-1])
def test_honest_tactics_pass_unchanged(text):
    assert guard(text) == text


def test_blanks_around_a_tactic_are_dropped():
    assert guard("  simp\n") == "simp"


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("simp -- by sorry", "simp"),
        ("simp /- a /- b -/ -/ at h", "simp   at h"),
        ("-- first\n  simp\n  ring", "simp\nring"),
        ("have h : p := by\n    -- why\n  simp\nexact h", "have h : p := by\n  simp\nexact h"),
        ("exact h/- -/.1", "exact h .1"),
    ],
)
def test_comments_are_taken_out(text, sent):
    assert guard(text) == sent


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("sorry", "sorry is not allowed"),
        (GOOD[-1], "unsafeFoo is not allowed"),
        ("exact foo.unsafeCast", "unsafeCast is not allowed"),
        ("set_option debug.skipKernelTC true in rfl", "set_option may set limits only"),
        ("set_option", "set_option may set limits only"),
        ("exact (h", "not one tactic: ')' is missing"),
        ("exact h)", "not one tactic: ')' closes nothing"),
        ("exact (h]", "not one tactic: ']' closes nothing"),
        ("-- simp", "not one tactic: empty"),
        ("sim/- -/p -- a\nsorry", "sorry is not allowed"),
        ("simp /- sorry", "not one tactic: a comment is not closed"),
        ('exact "', "not one tactic: a string is not closed"),
        ('exact s!"{x}"', "only plain strings are allowed"),
        ('exact r"\\"', "not one tactic: a string is not closed"),
        ("exact '('", "a bracket or quote as a character"),
        ("simp (maxSteps := match Lean.Elab.runFrontend x with | _ => 2)", "Lean is not allowed"),
        ("simp (config := match saveModuleData p q d () with | _ => {})", "saveModuleData is not allowed"),
        ("open System in rfl", "System is not allowed"),
        ("polyrith", "polyrith is not allowed"),
        ("bv_decide", "bv_decide is not allowed"),
        ("@[simp] rfl", "an attribute is not a tactic"),
        ("#eval 1", "#eval is a command, not a tactic"),
        ("exact αᵒᵖsorry", "sorry is not allowed"),
        ("", "not one tactic: empty"),
        ("x" * (MAX_CHARACTERS + 1), f"longer than {MAX_CHARACTERS} characters"),
        ("simp\x00", "holds a control character"),
    ],
)
def test_refusals_say_why(text, reason):
    assert guard(text) == Rejected(reason)


def test_what_a_tactic_says_stays_in_its_parentheses():
    text = assemble("theorem t : p", ["have h : p := by\n  simp", "exact h"])
    assert text == "theorem t : p := by\n  skip\n  (have h : p := by\n     simp\n  )\n  (exact h\n  )"


@pytest.mark.parametrize("side", ["train", "val", "test"])
def test_no_tactic_of_the_benchmark_is_refused(shared_data, side):
    sample = shared_data(f"leandojo_benchmark_4_sample/random/{side}.json")
    theorems = json.loads(sample.read_text(encoding="utf-8"))
    tactics = [step["tactic"] for theorem in theorems for step in theorem["traced_tactics"]]
    refused = [t for t in tactics if isinstance(guard(t), Rejected)]
    assert tactics and not refused
