import pytest

from ntp.data.lean.steps import Place, dedented
from ntp.envs.lean.protocol import ElaboratedTactic
from ntp.types import Span


@pytest.mark.parametrize(
    ("text", "part", "tactic"),
    [
        ("  have : a := by\n    simp\n", "have : a := by\n    simp", "have : a := by\n  simp"),
        ("  · case x =>\n      a\n\n      b\n", "case x =>\n      a\n\n      b", "case x =>\n  a\n\n  b"),
        ("theorem a : b := by simp [c,\n    d]\n", "simp [c,\n    d]", "simp [c,\nd]"),
        ("  a\r\n  b\r\n", "a\r\n  b", "a\nb"),
    ],
)
def test_a_part_loses_the_indentation_of_its_place(text, part, tactic):
    begin = text.index(part)
    assert dedented(text, Span(begin, begin + len(part))) == tactic


def test_constants_have_the_names_of_sources_and_an_order():
    used = ("b", "_private.X.0.a", "f.match_1", "f", "_auxLemma.1")
    assert Place(Span(0, 1), ElaboratedTactic("x", "⊢ a", used_constants=used)).constants == ("a", "b", "f")
