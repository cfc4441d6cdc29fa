import pytest

from ntp.buffers.replay import ReplayBuffer
from ntp.modules.human_proofs import HumanProof, add_human_proofs


def test_proofs_are_encoded_scored_and_kept_once(oracle):
    policy, buffer = oracle.make_policy(seed=0), ReplayBuffer(32)
    proofs = [
        HumanProof("a", ("⊢ a", "⊢ a b"), ("b", "a")),
        HumanProof("a", ("⊢ a",), ("a b",)),
        HumanProof("a", ("⊢ a", "⊢ a b"), ("b", "a")),
        HumanProof("b", ("⊢ b",), ("a b a",)),
    ]
    assert add_human_proofs(buffer, proofs, policy, oracle.PRIOR) == 2
    first, second = buffer.proofs("a")
    assert first.tactics == ("b", "a")
    assert [policy.decode_tactic(ids) for ids in first.token_ids] == ["b", "a"]
    assert second.log_ref == pytest.approx(oracle.PRIOR.log_p("⊢ a", second.token_ids[0]), abs=1e-5)


def test_a_tactic_the_policy_cannot_say_leaves_its_proof_out(oracle):
    buffer = ReplayBuffer(32)
    too_long = HumanProof("b", ("⊢ b",), ("a b a",))
    assert add_human_proofs(buffer, [too_long], oracle.make_policy(seed=0), oracle.PRIOR) == 0
    assert len(buffer) == 0
