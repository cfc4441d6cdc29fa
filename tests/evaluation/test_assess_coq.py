import pytest

from ntp.envs.coq.factory import CoqEnvFactory
from ntp.envs.pool import EnvPool
from ntp.evaluation.assess import TheoremRun, assess
from ntp.types import Goal, ProofState, Proved, Reached, Span, Status, Tactic, Theorem, Trajectory, Transition

pytestmark = pytest.mark.coq

STATEMENT = "Lemma add_one : forall n : nat, n = 1 -> 1 = n."
SOURCE = f"{STATEMENT}\nProof. auto. Qed.\n"


def trajectory(theorem, tactics):
    """A trajectory that claims to have proved the theorem, as a search would return it."""
    states = [ProofState(i, Goal((), " ".join(tactics[:i]))) for i in range(len(tactics))]
    outcomes = [*map(Reached, states[1:]), Proved()]
    steps = zip(states, map(Tactic, tactics), outcomes, strict=True)
    return Trajectory(theorem, tuple(Transition(*step) for step in steps), Status.PROVED)


def test_padding_is_dropped_and_the_kernel_refuses_false_proofs(tmp_path):
    (tmp_path / "Demo.v").write_text(SOURCE)
    begin = len(STATEMENT)
    theorem = Theorem("Demo.add_one", "Demo.v", STATEMENT, Span(0, begin), Span(begin, len(SOURCE) - 1))
    claims = [
        ["intros n H.", "symmetry.", "symmetry.", "symmetry.", "exact H."],
        ["intros n H.", "symmetry.", "exact H."],
        ["idtac.", "auto."],
        ["intros n H.", "exact H."],
        ["admit."],
    ]
    run = TheoremRun(theorem, tuple(trajectory(theorem, claim) for claim in claims), cost_s=1.0)
    with EnvPool(CoqEnvFactory(root=str(tmp_path)), num_workers=2) as pool:
        [result] = assess("sft", [run], pool.check_proofs, wall_s=1.0, independent=True)
    assert [proof.verified for proof in result.proofs] == [True, True, True, False, False]
    assert [proof.irredundant for proof in result.proofs[:3]] == [
        ("symmetry.", "exact H."),  # `symmetry` introduces the variables and hypotheses first
        ("symmetry.", "exact H."),
        ("auto.",),
    ]
    assert all(proof.reason for proof in result.proofs[3:])
