from functools import partial

import pytest

from ntp.buffers.replay import ReplayBuffer
from ntp.envs.coq.env import CoqEnv
from ntp.envs.coq.project import CoqProject
from ntp.envs.pool import EnvPool
from ntp.envs.toy import toy_theorem
from ntp.modules.known_proofs import KnownProof, accepted_proofs, add_known_proofs


def test_proofs_are_encoded_scored_and_kept_once(oracle):
    policy, buffer = oracle.make_policy(seed=0), ReplayBuffer(32)
    proofs = [
        KnownProof(toy_theorem("a"), ("⊢ a", "⊢ a b"), ("b", "a"), ((), ())),
        KnownProof(toy_theorem("a"), ("⊢ a",), ("a b",), ((),)),
        KnownProof(toy_theorem("a"), ("⊢ a", "⊢ a b"), ("b", "a"), ((), ())),
        KnownProof(toy_theorem("b"), ("⊢ b",), ("a b a",), ((),)),
    ]
    assert add_known_proofs(buffer, proofs, policy, oracle.PRIOR) == 2
    first, second = buffer.proofs("a")
    assert first.tactics == ("b", "a")
    assert [policy.decode_tactic(ids) for ids in first.token_ids] == ["b", "a"]
    assert second.log_ref == pytest.approx(oracle.PRIOR.log_p("⊢ a", second.token_ids[0]), abs=1e-5)


def test_a_tactic_the_policy_cannot_say_leaves_its_proof_out(oracle):
    buffer = ReplayBuffer(32)
    too_long = KnownProof(toy_theorem("b"), ("⊢ b",), ("a b a",), ((),))
    assert add_known_proofs(buffer, [too_long], oracle.make_policy(seed=0), oracle.PRIOR) == 0
    assert len(buffer) == 0


@pytest.mark.coq
def test_only_proofs_that_replay_are_used(tmp_path, proofs):
    """A script with the focus on the second goal, or with `Unshelve`, is not the whole proof."""
    source = """\
Lemma plain (A B : Prop) : A -> B -> A /\\ B. Proof. intros a b. split. exact a. exact b. Qed.
Lemma second (A B : Prop) : A -> B -> A /\\ B. Proof. intros a b. split. 2: { exact b. } exact a. Qed.
Lemma shelved : exists n : nat, n = n. Proof. eexists. reflexivity. Unshelve. exact 0. Qed.
"""
    (tmp_path / "A.v").write_text(source)
    scripts = proofs("A.v", source)
    assert len(scripts) == 3
    with EnvPool(partial(CoqEnv, CoqProject(tmp_path)), 2) as pool:
        (accepted,) = accepted_proofs(scripts, pool)
    assert accepted.theorem.statement.split()[1] == "plain"
    assert accepted.tactics == ("intros a b.", "split.", "exact a.", "exact b.")
    assert [state.splitlines()[-1] for state in accepted.states] == [
        "⊢ A -> B -> A /\\ B", "⊢ A /\\ B", "⊢ A", "⊢ B"
    ]  # fmt: skip
    assert accepted.unread == ((), (), (accepted.states[3],), ())
