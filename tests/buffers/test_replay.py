import io
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp.buffers.replay import ReplayBuffer, ReplayProof
from ntp.errors import ConfigError


def proof(*token_ids: tuple[int, ...], log_ref: float = -1.0, states: tuple[str, ...] = ()) -> ReplayProof:
    return ReplayProof(
        states=states or tuple(f"s{i}" for i in range(len(token_ids))),
        tactics=tuple(map(str, token_ids)),
        token_ids=token_ids,
        log_ref_T=(log_ref, *[0.0] * (len(token_ids) - 1)),
        unread=((),) * len(token_ids),
    )


def test_the_same_text_is_kept_once():
    buffer = ReplayBuffer(32)
    assert buffer.add("a", proof((1, 2), (3,)))
    assert not buffer.add("a", proof((1, 2), (3,)))
    assert not buffer.add("a", replace(proof((1, 2), (3,)), token_ids=((7,), (3,)))), "other tokens"
    assert buffer.add("a", proof((1,), (2, 3)))
    assert buffer.add("b", proof((1, 2), (3,)))
    assert (len(buffer), buffer.num_theorems) == (3, 2)


def test_the_crowd_loses_its_least_likely_member():
    buffer = ReplayBuffer(capacity=3)
    rare = proof((9,), log_ref=-50.0, states=("other",))
    buffer.add("a", proof((1,), log_ref=-3.0))
    buffer.add("a", rare)
    buffer.add("a", proof((2,), log_ref=-2.0))
    buffer.add("a", proof((3,), log_ref=-1.0))
    assert [p.token_ids for p in buffer.proofs("a")] == [((9,),), ((2,),), ((3,),)]


def test_a_new_proof_may_itself_be_the_least_wanted():
    buffer = ReplayBuffer(capacity=1)
    buffer.add("a", proof((1,), log_ref=-1.0))
    assert buffer.add("a", proof((2,), log_ref=-9.0))
    assert [p.token_ids for p in buffer.proofs("a")] == [((1,),)]


@given(
    added=st.lists(st.tuples(st.integers(0, 30), st.floats(-9, 0), st.sampled_from("xyz")), max_size=60),
    capacity=st.integers(1, 6),
)
def test_capacity_holds_and_no_path_of_states_is_lost_to_a_crowd(added, capacity):
    buffer = ReplayBuffer(capacity)
    for token, log_ref, state in added:
        buffer.add("a", proof((token,), log_ref=log_ref, states=(state,)))
    kept = buffer.proofs("a")
    assert len(kept) == len({p.key for p in kept}) <= capacity
    seen = {}
    for token, _, state in added:
        seen.setdefault(token, state)
    if capacity >= 3:
        assert {p.states for p in kept} >= {(state,) for state in list(seen.values())[:capacity]}


def test_samples_are_distinct_uniform_and_a_function_of_the_seed():
    buffer = ReplayBuffer(32)
    for token in range(5):
        buffer.add("a", proof((token,)))
    assert buffer.sample("a", 3, seed=1) == buffer.sample("a", 3, seed=1)
    counts = [0] * 5
    for seed in range(2000):
        drawn = buffer.sample("a", 2, seed)
        assert len({p.key for p in drawn}) == 2
        for p in drawn:
            counts[p.token_ids[0][0]] += 1
    assert all(720 < count < 880 for count in counts)


def test_fewer_than_asked_for_and_exclusions():
    buffer = ReplayBuffer(32)
    buffer.add("a", proof((1,)))
    buffer.add("a", proof((2,)))
    assert buffer.sample("nobody", 2, seed=0) == []
    assert len(buffer.sample("a", 5, seed=0)) == 2
    assert [p.key for p in buffer.sample("a", 5, seed=0, exclude={("(1,)",)})] == [("(2,)",)]


def test_state_survives_a_safe_load_exactly():
    buffer = ReplayBuffer(capacity=2)
    for token, log_ref in ((1, -1.5), (2, -2.5), (3, -0.5)):
        buffer.add("a", proof((token, 7), (8,), log_ref=log_ref))
    buffer.add("b", proof((4,)))
    file = io.BytesIO()
    torch.save(buffer.state_dict(), file)
    file.seek(0)
    restored = ReplayBuffer(capacity=2)
    restored.load_state_dict(torch.load(file, weights_only=True))
    assert restored.state_dict() == buffer.state_dict()
    for seed in range(10):
        assert restored.sample("a", 1, seed) == buffer.sample("a", 1, seed)
    for each in (buffer, restored):
        each.add("a", proof((5,), (6,), log_ref=-2.0))
    assert restored.proofs("a") == buffer.proofs("a")


def test_no_capacity_is_refused():
    with pytest.raises(ConfigError, match=r"buffer\.capacity=0"):
        ReplayBuffer(0)
