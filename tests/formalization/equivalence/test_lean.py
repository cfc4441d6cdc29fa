import pytest

from ntp.envs.lean.factory import LeanReplFactory
from ntp.errors import InitError
from ntp.formalization.equivalence.lean import STAGES, LeanEquivalence
from tests.fixtures.lake import STANDIN

REFERENCE = "theorem t : True → True ∧ True"


@pytest.fixture(scope="module")
def lean():
    """Over the stand-in, which knows few of the stages' tactics: protocol and checks are what is tested."""
    equivalence = LeanEquivalence(LeanReplFactory(command=list(STANDIN)))
    yield equivalence
    equivalence.close()


@pytest.mark.parametrize(
    ("reference", "candidate", "outcome"),
    [
        (REFERENCE, "theorem u : True → True ∧ True", "equivalent"),
        (REFERENCE, "lemma other.name : True → True ∧ True := by sorry", "equivalent"),
        # It is an axiom when it is given: then it proves what it says, and nothing else.
        (REFERENCE, "theorem u : False", "not_shown"),
        (REFERENCE, "theorem u : True", "not_shown"),
        (REFERENCE, "theorem u : nonsense", "ill_typed"),
        (REFERENCE, "theorem u : True axiom bad : False", "ill_typed"),
        # Its proof, and what follows it, are cut off.
        (REFERENCE, "theorem u : True := by trivial\ntheorem v : True → True ∧ True", "not_shown"),
        (REFERENCE, "axiom u : True → True ∧ True", "ill_typed"),
        (REFERENCE, "theorem u : ntp_given", "ill_typed"),
        (REFERENCE, "open Nat in theorem u : True", "ill_typed"),
        (REFERENCE, "theorem u : (by sorry : Prop)", "ill_typed"),
        (REFERENCE, "theorem u : (True", "ill_typed"),
        (REFERENCE, "", "ill_typed"),
    ],
)
def test_outcomes(lean, reference, candidate, outcome):
    (judged,) = lean.judge("", reference, [candidate])
    assert str(judged.outcome) == outcome
    assert bool(judged.reason) == (outcome == "ill_typed")


def test_what_is_provable_from_nothing_does_not_count(lean):
    """A stage that succeeds without the given statement, as `trivial` would, is no evidence."""
    judged = lean.judge("", "theorem t : True", ["theorem u : True ∧ True", "theorem u : True"])
    assert [str(found.outcome) for found in judged] == ["not_shown", "not_shown"]


def test_a_broken_reference_is_one_line(lean):
    with pytest.raises(InitError, match="cannot be stated"):
        lean.judge("", "theorem t : nonsense", ["theorem u : True"])


def test_the_published_stages_are_there():
    names = [stage.name for stage in STAGES]
    assert names[:2] == ["exact", "apply"]
    assert names[2:] == ["exact?", "solvers", "apply_rules", *(f"convert {n}" for n in range(5))]
