import pytest

from ntp.envs.coq.build_files import LoadPath
from ntp.envs.coq.project import CoqProject
from ntp.formalization.equivalence.elaboration import Elaborator
from ntp.formalization.equivalence.library import Library
from ntp.formalization.equivalence.refutation import refuted
from ntp.formalization.equivalence.variants import VariantMaker, VariantOptions
from ntp.sandbox.limits import Limits

pytestmark = pytest.mark.coq


@pytest.fixture(scope="module")
def pairs(stdlib):
    options = VariantOptions(["Arith/Compare.v"], max_per_file=4, num_kept=4, refutation_timeout_s=5)
    maker = VariantMaker(stdlib, "Coq", options, Limits(), seed=0)
    assert maker.files() == ["Arith/Compare.v"]
    return maker.pairs("Arith/Compare.v")


def test_statements_are_those_of_the_library(stdlib):
    library = Library(stdlib, "Arith/Compare.v", "Coq.Arith.Compare", Limits())
    found = {statement.name: statement.text for statement in library.statements()}
    library.close()
    assert found["le_le_S_eq"] == "forall n m : nat, n <= m -> S n <= m \\/ n = m"
    # Not a proposition.
    assert "le_dec" not in found


def test_pairs_are_of_known_labels_and_both_sides_type_check(pairs, stdlib):
    assert {pair.label for pair in pairs} >= {"equivalent", "different"}
    assert len({pair.id for pair in pairs}) == len(pairs)
    elaborator = Elaborator(stdlib, Limits(), 5)
    for pair in pairs:
        assert pair.candidate != pair.reference
        for text in (pair.reference, pair.candidate):
            assert elaborator.state(pair.header, text).reason == ""
    elaborator.close()


def test_the_kernel_knows_equivalent_pairs_to_be_so(pairs, structural):
    kept = [pair for pair in pairs if pair.label == "equivalent"]
    for pair in kept:
        (found,) = structural.judge(pair.header, pair.reference, [pair.candidate])
        assert found.outcome == "equivalent", pair


def test_pairs_are_seeded(pairs, stdlib):
    options = VariantOptions(["Arith/Compare.v"], max_per_file=4, num_kept=4, refutation_timeout_s=5)
    again = VariantMaker(stdlib, "Coq", options, Limits(), seed=0).pairs("Arith/Compare.v")
    assert again == pairs


def test_false_statements_are_refuted_and_true_ones_are_not(stdlib):
    false = [
        "forall n : nat, n < n",
        "forall (A : Type) (l : list A), l = nil",
        "forall n m : nat, n <= m -> m <= n",
        "forall (A : Type) (x y : A), x = y",
        "forall (f : nat -> nat) (n : nat), f n = n",
    ]
    true = ["forall n : nat, n = n", "forall n : nat, exists m : nat, n < m", "True"]
    found = refuted(stdlib, "Require Import List.", false + true, 5, Limits(), lambda assumption: False)
    assert found == [True] * len(false) + [False] * len(true)


def test_an_elaborator_names_the_axioms_of_a_header(stdlib):
    elaborator = Elaborator(stdlib, Limits(), 5)
    header = "Axiom own : False.\nLemma fact : True. Proof. exact I. Qed."
    assert elaborator.is_axiom(header, "own : False")
    assert not elaborator.is_axiom(header, "fact : True")
    assert not elaborator.is_axiom(header, "nowhere : False")
    assert not elaborator.is_axiom("", "own : False")
    elaborator.close()


def test_statements_of_a_project_of_ones_own(tmp_path):
    """A library elsewhere, with a section: statements are those that its users see."""
    (tmp_path / "Own.v").write_text(
        "Section S. Variable A : Type. Variable op : A -> A.\n"
        "Lemma twice : (forall x, op x = x) -> forall x, op (op x) = x.\n"
        "Proof. intros h x. rewrite h. apply h. Qed. End S.\n"
    )
    project = CoqProject(tmp_path, (LoadPath("-R", ".", "Own"),))
    import subprocess

    subprocess.run(["coqc", "-R", ".", "Own", "Own.v"], cwd=tmp_path, check=True)
    library = Library(project, "Own.v", "Own.Own", Limits())
    (statement,) = library.statements()
    library.close()
    assert statement.text == (
        "forall (A : Type) (op : A -> A), (forall x : A, op x = x) -> forall x : A, op (op x) = x"
    )
