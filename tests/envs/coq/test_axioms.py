import pytest

from ntp.envs.coq.proof import UnreadableAssumptionsError, axiom_name, parse_assumptions

# As Coq 8.16 prints them.
MIXED = """Section Variables:
vvv
: forall x y z w : nat,
  x + y = w
Axioms:
ub relies on an unsafe hierarchy.
bad is assumed to be guarded.
Bad is assumed to be positive.
X.x : nat
functional_extensionality_dep
  : forall (A : Type) (B : A -> Type) (f g : forall x : A, B x),
    (forall x : A, f x = g x) -> f = g
ax : False
used in l3 to prove
 n + n = 0 /\\
 n = 1"""


def test_closed():
    assert parse_assumptions(["Closed under the global context"]) == frozenset()


def test_only_a_sections_variables_are_context():
    assert parse_assumptions(["Section Variables:\nA : Type\nB\n: Type"]) == frozenset()
    assert {axiom_name(entry) for entry in parse_assumptions([MIXED])} == {
        "ub",
        "bad",
        "Bad",
        "X.x",
        "functional_extensionality_dep",
        "ax",
    }


def test_an_entry_is_whole():
    entries = parse_assumptions([MIXED])
    assert "bad is assumed to be guarded." in entries
    assert (
        "functional_extensionality_dep : forall (A : Type) (B : A -> Type) (f g : forall x : A, B x), "
        "(forall x : A, f x = g x) -> f = g"
    ) in entries


@pytest.mark.parametrize("messages", [[], [""], ["Closed", "Closed"], ["Something else:\nx : nat"]])
def test_anything_else_is_an_error(messages):
    with pytest.raises(UnreadableAssumptionsError):
        parse_assumptions(messages)
