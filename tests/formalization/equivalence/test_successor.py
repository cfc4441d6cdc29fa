import pytest

from ntp.errors import InitError
from ntp.formalization.equivalence.successor import SuccessorTest

pytestmark = pytest.mark.coq

SOURCE = """
Definition double (n : nat) := n + n.
Lemma double_zero : double 0 = 0.
Proof. reflexivity. Qed.
Lemma double_plus n m : double n = m -> double n + 0 = m.
Proof.
  intros h. rewrite <- h. unfold double. induction (n + n); simpl; congruence.
Qed.
Lemma first : double 3 + 0 = 6.
Proof. apply double_plus; reflexivity. Qed.
Lemma unrelated : 1 + 1 = 2.
Proof. reflexivity. Qed.
Lemma second n : double n + 0 = double n.
Proof. apply (double_plus n). reflexivity. Qed.
Lemma third : double 3 + 0 = 6.
Proof. exact first. Qed.
Definition kept : nat. Proof. exact 3. Defined.
"""


@pytest.fixture(scope="module")
def successors(tmp_path_factory):
    from ntp.envs.coq.project import CoqProject

    root = tmp_path_factory.mktemp("project")
    (root / "A.v").write_text(SOURCE)
    (root / "Bad.v").write_text("Lemma a : True. Proof. exact 0. Qed.")
    test = SuccessorTest(CoqProject(root), "A.v")
    yield test
    test.close()


def test_users_are_the_later_proofs_that_need_the_statement(successors):
    assert successors.names == ["double_zero", "double_plus", "first", "unrelated", "second", "third"]
    assert successors.users("double_plus") == ("first", "second")
    assert successors.users("first") == ("third",)
    assert successors.users("unrelated") == ()


@pytest.mark.parametrize(
    ("candidate", "broken", "share"),
    [
        ("forall n m, double n = m -> double n + 0 = m", (), 1.0),
        ("Theorem other (n m : nat) : double n = m -> double n + 0 = m.", (), 1.0),
        ("forall n m, double n = m -> m = double n + 0", ("first", "second"), 0.0),
        ("forall n m, n = 3 -> double n = m -> double n + 0 = m", ("second",), 0.5),
        # What says more breaks nothing: the test is no proof of anything.
        ("forall n m, double n = m -> double n + 0 = m /\\ False", (), 1.0),
    ],
)
def test_share_of_users_that_check(successors, candidate, broken, share):
    found = successors.test("double_plus", candidate)
    assert (found.broken, found.share, found.reason) == (broken, share, "")


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        ("nonsense", "nonsense was not found"),
        ("True. Axiom bad : False", "not one sentence"),
        ("ltac:(admit)", "runs code"),
        ("", "empty"),
    ],
)
def test_what_cannot_be_stated_breaks_all_users(successors, candidate, reason):
    found = successors.test("double_plus", candidate)
    assert (found.broken, found.share) == (("first", "second"), 0.0)
    assert reason in found.reason
    # The next candidate is not affected.
    assert successors.test("double_plus", "forall n m, double n = m -> double n + 0 = m").share == 1.0


def test_without_users_there_is_no_share(successors):
    assert successors.test("unrelated", "True").share is None


def test_a_broken_file_or_an_unknown_name_is_one_line(successors):
    with pytest.raises(InitError, match="does not replay"):
        SuccessorTest(successors._project, "Bad.v")
    for name in ("nowhere", "kept", "double"):
        with pytest.raises(InitError, match="no theorem with an opaque proof"):
            successors.users(name)
