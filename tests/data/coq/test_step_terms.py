"""What tactics add to proof terms, and what CoqHammer's predictor recommends before them."""

import pytest

from ntp.data.coq.extract import extract
from ntp.data.coq.modules import find_library
from ntp.data.coq.step_terms import read_step_terms
from ntp.data.dataset import Dataset
from ntp.envs.coq.project import CoqProject

pytestmark = pytest.mark.coq

SOURCE = """Lemma zero (n : nat) (H : n = n) : n + 0 = n.
Proof.
  induction n.
  - reflexivity.
  - simpl. rewrite IHn; reflexivity.
Qed.
"""


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    (root / "T.v").write_text(SOURCE)
    project, output = CoqProject(root), tmp_path_factory.mktemp("data")
    extract(project, output, ["*.v"])
    records = list(Dataset.load(output).iter_theorems())
    library = find_library(project, project.files())

    def read(num_predictions):
        (found,) = read_step_terms(project, library, records, 120.0, num_predictions)
        return found.steps

    return read


def test_each_tactic_has_the_constants_that_it_adds(read):
    induction, reflexivity, _, rewrite = read(0)
    assert "Coq.Init.Datatypes.nat_ind" in induction.constants
    assert "Coq.Init.Logic.eq_refl" in reflexivity.constants
    assert "Coq.Init.Datatypes.nat_ind" not in reflexivity.constants, "it was there before"
    assert "Coq.Init.Logic.eq_ind_r" in rewrite.constants and rewrite.hypotheses == ("IHn",)
    assert {step.predictions for step in (induction, reflexivity, rewrite)} == {None}


def test_hammer_recommends_lemmas_about_what_is_in_the_goal(read, hammer):
    induction, _, _, rewrite = read(8)
    assert "Coq.Init.Peano.plus_n_O" in induction.predictions
    assert rewrite.predictions and len(rewrite.predictions) <= 8
    assert "Coq.Init.Logic.eq_ind_r" in rewrite.constants, "what is read otherwise is read as before"
