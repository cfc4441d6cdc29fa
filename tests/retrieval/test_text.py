import pytest

from ntp.data.records import PremiseRecord
from ntp.retrieval.text import marked_statement


@pytest.mark.parametrize(
    ("name", "statement", "wanted"),
    [
        # The first two as ReProver's own `Premise.serialize` gives them.
        ("Nat.id", "theorem id (n : Nat) : n = n", "theorem <a>Nat.id</a> (n : Nat) : n = n"),
        ("A.B.c", "lemma B.c : True", "lemma <a>A.B.c</a> : True"),
        ("A.b", "theorem _root_.A.b : True", "theorem <a>A.b</a> : True"),
        ("A.b", "theorem «b» : True", "theorem <a>A.b</a> : True"),
        ("M.le", "Lemma le_S : forall n, n <= S n.", "<a>M.le</a> : Lemma le_S : forall n, n <= S n."),
        ("M.f'", "Definition f' := f.", "Definition <a>M.f'</a> := f."),
        ("M.C", "C : nat -> t", "<a>M.C</a> : nat -> t"),
        ("M.nat_ind", "forall P : nat -> Prop, P 0", "<a>M.nat_ind</a> : forall P : nat -> Prop, P 0"),
        ("M.x", "", "<a>M.x</a>"),
        (r"M.a\1", r"Lemma a\1 : True.", r"Lemma <a>M.a\1</a> : True."),
    ],
)  # fmt: skip
def test_the_full_name_is_marked_where_the_name_stands(name, statement, wanted):
    assert marked_statement(PremiseRecord(name, "Lemma", statement, "f", None)) == wanted
