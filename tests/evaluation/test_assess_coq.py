import pytest

from ntp.envs.coq.factory import CoqEnvFactory
from ntp.envs.pool import EnvPool
from ntp.evaluation.assess import TheoremRun, assess
from ntp.evaluation.metrics import distinct_counts
from ntp.types import Goal, ProofState, Proved, Reached, Span, Status, Tactic, Theorem, Trajectory, Transition

pytestmark = pytest.mark.coq

STATEMENT = "Lemma add_one : forall n : nat, n = 1 -> 1 = n."
SOURCE = f"{STATEMENT}\nProof. auto. Qed.\n"


@pytest.fixture
def theorem(tmp_path):
    (tmp_path / "Demo.v").write_text(SOURCE)
    begin = len(STATEMENT)
    return Theorem("Demo.add_one", "Demo.v", STATEMENT, Span(0, begin), Span(begin, len(SOURCE) - 1))


def assessed(directory, theorem, claims):
    run = TheoremRun(theorem, tuple(trajectory(theorem, claim) for claim in claims), cost_s=1.0)
    with EnvPool(CoqEnvFactory(root=str(directory)), num_workers=2) as pool:
        [result] = assess("sft", [run], pool.check_proofs, 1.0, True, CoqEnvFactory.syntax)
    return result


def trajectory(theorem, tactics):
    """A trajectory that claims to have proved the theorem, as a search would return it."""
    states = [ProofState(i, Goal((), " ".join(tactics[:i]))) for i in range(len(tactics))]
    outcomes = [*map(Reached, states[1:]), Proved()]
    steps = zip(states, map(Tactic, tactics), outcomes, strict=True)
    return Trajectory(theorem, tuple(Transition(*step) for step in steps), Status.PROVED)


def test_padding_is_dropped_and_the_kernel_refuses_false_proofs(tmp_path, theorem):
    claims = [
        ["intros n H.", "symmetry.", "symmetry.", "symmetry.", "exact H."],
        ["intros n H.", "symmetry.", "exact H."],
        ["idtac.", "auto."],
        ["intros n H.", "exact H."],
        ["admit."],
    ]
    result = assessed(tmp_path, theorem, claims)
    assert [proof.verified for proof in result.proofs] == [True, True, True, False, False]
    assert [proof.minimal for proof in result.proofs[:3]] == [
        ("symmetry.", "exact H."),  # `symmetry` introduces the variables and hypotheses first
        ("symmetry.", "exact H."),
        ("auto.",),
    ]
    assert all(proof.reason for proof in result.proofs[3:])


def test_spellings_and_padding_within_a_sentence_are_one_proof(tmp_path, theorem):
    spellings = ["auto.", "auto .", "auto; auto.", "(auto).", "1: auto.", "intros; auto.", "auto (* x *)."]
    result = assessed(tmp_path, theorem, [[spelling] for spelling in spellings])
    counts = distinct_counts(result)
    assert (counts.raw, counts.minimal, counts.terms) == (7, 1, 1)
    assert {proof.minimal for proof in result.proofs} == {("auto.",)}


def test_proof_terms_are_told_apart_by_what_they_prove_with_and_not_by_names(tmp_path, theorem):
    claims = [
        ["intros n H.", "exact (eq_sym H)."],
        ["intros m E.", "apply eq_sym.", "exact E."],
        ["intros n H.", "rewrite H.", "reflexivity."],
    ]
    result = assessed(tmp_path, theorem, claims)
    first, renamed, rewritten = (proof.term for proof in result.proofs)
    assert first == renamed != rewritten
    counts = distinct_counts(result)
    assert (counts.raw, counts.minimal, counts.terms) == (3, 3, 2)
