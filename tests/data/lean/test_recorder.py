"""One file at a time: what the positions of the REPL's answers are made into."""

import pytest

from ntp.data.lean.lake import LakeProject
from ntp.data.lean.recorder import extract_file
from ntp.envs.lean.positions import Lines
from tests.fixtures.lake import make_repl, write_lake


@pytest.fixture
def record(tmp_path):
    def run(text: str | bytes, **options):
        root = write_lake(tmp_path / "p", {"A.lean": ""})
        (root / "A.lean").write_bytes(text.encode() if isinstance(text, str) else text)
        return extract_file(LakeProject(root), "A.lean", make_repl(root, **options))

    return run


def test_positions_count_characters_and_line_ends_are_kept(record):
    text = "-- αβγ 𝔸\r\ntheorem a (α β : Prop) (h : α ∧ β) : β := by /- 𝔸 -/ exact h.2\r\n"
    (step,) = record(text).theorems[0].record.steps
    lines = Lines(text)
    assert text[lines.offset(step.span.begin) : lines.offset(step.span.end)] == step.tactic == "exact h.2"


def test_a_sorry_leaves_out_its_theorem_only(record):
    extract = record(
        "theorem a : False := by\n  sorry\ntheorem b : False := sorry\n"
        "theorem c (h : True → False) : False := h trivial\ntheorem d : True := by\n  trivial\n"
    )
    assert [t.record.theorem.id for t in extract.theorems] == ["c", "d"]
    assert [p.full_name for p in extract.premises] == ["a", "b", "c", "d"]
    assert extract.left_out.num_theorems_with_sorry == 2


def test_tactics_in_statements_and_examples_are_no_steps(record):
    extract = record("example : True := by\n  trivial\ntheorem a : True := by\n  trivial\n")
    assert [len(t.record.steps) for t in extract.theorems] == [1]
    assert extract.left_out.num_tactics_elsewhere == 1


def test_a_proof_by_terms_with_tactics_in_it(record):
    extract = record("theorem a (p : Prop) (h : p) : p ∧ p := ⟨h, by exact h⟩\n")
    (step,) = extract.theorems[0].record.steps
    assert step.tactic == "exact h" and step.after is None


def test_bytes_that_are_no_text_fail_the_file(record):
    assert record(b"-- caf\xe9").file.error == "1:1: not UTF-8, as Lean requires"


def test_a_limit_of_memory_fails_the_file(record):
    extract = record("theorem a : True := by\n  standin_memory\n", max_memory_mb=256)
    assert extract.file.error.startswith("1:1: ") and not extract.theorems
