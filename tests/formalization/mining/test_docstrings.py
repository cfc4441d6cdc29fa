import sys
from pathlib import Path

import pytest

from ntp.envs.lean.factory import LeanReplFactory
from ntp.formalization.mining.docstrings import find_candidates, mine_text
from ntp.formalization.typecheck.factory import make_checker

STANDIN = [sys.executable, "-S", "-E", str(Path(__file__).parents[2] / "standin")]
SOURCE = """/-- From a conjunction follows its right side -/
theorem right_side (p q : Prop) (h : p ∧ q) : q := h.2

theorem undocumented (p : Prop) (h : p) : p := h

/-- Basic lemmas -/
theorem group (p : Prop) (h : p) : p := h

/-- A conjunction can be turned
around at will -/
private theorem swap (p q : Prop) (h : p ∧ q) : q ∧ p := ⟨h.2, h.1⟩
"""


@pytest.fixture
def checker():
    made = make_checker(LeanReplFactory(command=STANDIN, tactic_timeout_s=3), 10)
    yield made
    made.close()


def test_docstrings_and_the_theorems_after_them():
    candidates, left_out = find_candidates(SOURCE, "Own.lean")
    assert [one.informal for one in candidates] == [
        "From a conjunction follows its right side",
        "A conjunction can be turned around at will",
    ]
    assert candidates[1].formal == "theorem swap (p q : Prop) (h : p ∧ q) : q ∧ p"
    assert candidates[0].header == "" and "theorem group" in candidates[1].header
    assert left_out == {"of a group": 1}


def test_only_what_lean_accepts_is_kept(checker):
    broken = (
        SOURCE + "\n/-- This one has a name that nobody knows -/\ntheorem bad (p : Prop) : p → nobody := x\n"
    )
    pairs, left_out = mine_text(broken, "Dir/Own.lean", "own", checker)
    assert [(pair.prover, pair.topic) for pair in pairs] == [("lean", "Dir.Own")] * 2
    assert left_out["statement ill_typed"] == 1
