"""The stand-in proves no false theorem: what random tactics prove holds in every row of its truth table."""

import itertools
import random
import sys
from pathlib import Path

import pytest

from ntp.envs.lean.factory import LeanReplFactory
from ntp.types import Proved, Reached, Span, Theorem

STANDIN = [sys.executable, "-S", "-E", str(Path(__file__).parents[1] / "standin")]
TACTICS = """intro h; intro k; constructor; left; right; cases h; cases k; rcases h with ⟨a, b⟩; exact h
    exact k; rcases h with a | b; apply h
    apply k; exact h.1; exact h.2; assumption; contradiction; exfalso; trivial
    decide; rfl; by_cases c : p; exact ⟨h, k⟩; exact fun x => h; apply h.mp; apply h.mpr; have j : p := h
    all_goals assumption; intro h <;> assumption; exact Or.inl h; exact h k; exact k h; exact Or.inr k
    exact False.elim h; apply a; exact a; exact b; standin_bogus; sorry"""
CONNECTIVES = {
    "∧": lambda a, b: a and b,
    "∨": lambda a, b: a or b,
    "→": lambda a, b: not a or b,
    "↔": lambda a, b: a == b,
}


def formula(draw, depth):
    """A random formula as text, with its truth value as a function of the atoms'."""
    if depth == 0 or draw.random() < 0.2:
        atom = draw.choice("pqr")
        return atom, lambda row: row[atom]
    if draw.random() < 0.2:
        text, value = formula(draw, depth - 1)
        return f"¬({text})", lambda row: not value(row)
    sign = draw.choice(list(CONNECTIVES))
    (left, one), (right, two) = formula(draw, depth - 1), formula(draw, depth - 1)
    return f"(({left}) {sign} ({right}))", lambda row: CONNECTIVES[sign](one(row), two(row))


@pytest.mark.parametrize("seed", range(2))
def test_random_tactics_prove_tautologies_only(seed):
    draw = random.Random(seed)
    tactics = [text.strip() for line in TACTICS.splitlines() for text in line.split(";")]
    env, num_proved, num_false = LeanReplFactory(command=STANDIN)(), 0, 0
    for index in range(120):
        text, value = formula(draw, 2)
        rows = [dict(zip("pqr", row, strict=True)) for row in itertools.product((True, False), repeat=3)]
        tautology = all(value(row) for row in rows)
        num_false += not tautology
        statement = f"theorem t (p q r : Prop) : {text}"
        session = env.open(Theorem(f"t{index}", "", statement, Span(0, 0), Span(0, 0), "-- none"))
        states = [session.root]
        for _ in range(250):
            nearest = min(draw.choices(states, k=3), key=lambda state: len(state.key))
            outcome = session.step(nearest, draw.choice(tactics))
            if isinstance(outcome, Reached):
                states.append(outcome.state)
            elif outcome == Proved():
                num_proved += 1
                assert tautology, text
                break
    env.close()
    assert num_proved >= 3 and num_false >= 40
