"""Whole proofs are checked sentence by sentence, and count as the tactics that they consist of."""

import pytest

from ntp.envs.coq.env import CoqEnv
from ntp.envs.coq.factory import CoqEnvFactory
from ntp.envs.coq.project import CoqProject
from ntp.envs.pool import EnvPool
from ntp.errors import InitError
from ntp.evaluation.assess import assess
from ntp.search.whole_proof import WholeProofSampling
from ntp.types import Rejected, Status, Tactic

pytestmark = pytest.mark.coq

SOURCE = """
Lemma both (a b : nat) : a = b -> b = a /\\ a + 0 = a.
Proof. intro H. split. symmetry. exact H. auto. Qed.

Lemma lost : 0 = 1.
Proof. Admitted.
"""
SCRIPTS = [
    "Proof. intro H. split. - now symmetry. - auto. Qed.",
    "intro H. split. now symmetry. auto.",
    "intro H. split. 2: { now rewrite <- plus_n_O. } now symmetry.",
    "intro H. split. - now symmetry. - exact I. Qed.",
    "Proof. admit. Admitted.",
    "",
    "Proof. intro H. split. - now symmetry. - auto. Qed.",
]


class Scripted:
    """Proposes the same scripts for every theorem, each less likely than the one before."""

    def sample(self, requests):
        return [
            [Tactic(SCRIPTS[i % len(SCRIPTS)], log_prob=-float(i)) for i in range(len(request.draws))]
            for request in requests
        ]


@pytest.fixture
def found(tmp_path, proofs):
    (tmp_path / "A.v").write_text(SOURCE)
    theorems = [theorem for theorem, _ in proofs("A.v", SOURCE)]
    search = WholeProofSampling(Scripted(), CoqEnvFactory.syntax, len(SCRIPTS), 1.0, seed=0)
    finished = []
    with EnvPool(lambda: CoqEnv(CoqProject(tmp_path)), 2) as pool:
        runs = search(theorems, pool, lambda: finished.append(1))
        assert len(finished) == 2
        yield runs, assess("whole", runs, pool.check_proofs, 1.0, True, CoqEnvFactory.syntax)


def test_every_script_is_an_attempt(found):
    (both, lost), _ = found
    proved, stuck = Status.PROVED, Status.STUCK
    assert [t.status for t in both.trajectories] == [proved, proved, proved, stuck, stuck, stuck, proved]
    assert {t.status for t in lost.trajectories} == {stuck}
    assert [t.log_prob for t in both.trajectories] == [0, -1, -2, -3, -4, -5, -6]
    assert both.trajectories[5].transitions[0].outcome == Rejected("holds no sentence")
    assert both.num_samples == len(SCRIPTS)


def test_bullets_make_no_other_proof_unless_they_change_it(found):
    (both, _), _ = found
    flat = ("intro H.", "split.", "now symmetry.", "auto.")
    assert both.trajectories[0].tactics == both.trajectories[1].tactics == flat
    assert "2: {" in both.trajectories[2].tactics, "here the goals are solved in another order"


def test_proofs_are_checked_again_and_counted(found):
    _, (both, lost) = found
    assert (both.outcome, lost.outcome) == ("proved", "failed")
    assert len(both.verified_proofs) == 2
    assert all(proof.verified for proof in both.proofs)


def test_a_theorem_that_does_not_open_is_an_error_of_its_own(tmp_path, proofs):
    (tmp_path / "A.v").write_text("Definition broken := nowhere.\n" + SOURCE)
    theorems = [t for t, _ in proofs("A.v", (tmp_path / "A.v").read_text())]
    search = WholeProofSampling(Scripted(), CoqEnvFactory.syntax, 1, 1.0, seed=0)
    with EnvPool(lambda: CoqEnv(CoqProject(tmp_path)), 1) as pool:
        runs = search(theorems, pool, lambda: None)
    assert all(isinstance(run.error, InitError) for run in runs)
