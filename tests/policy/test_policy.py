import pytest
import torch

from ntp.errors import ConfigError
from ntp.policy.causal import CausalPolicy
from ntp.policy.prompt import SampleRequest, SamplingParams, ScoreRequest

STATE = "n : nat\n⊢ n + 0 = n"
REQUESTS = [ScoreRequest(STATE, ((5, 6, 7), (8,))), ScoreRequest("⊢ True", ((9,), ()))]


def test_tactics_round_trip(policy):
    for text in ("auto.", "simpl; auto.", "x; y λ"):
        assert policy.decode_tactic(policy.encode_tactic(text)) == text
    (row,) = policy.sample([SampleRequest(STATE, tuple(map(SamplingParams, range(20))))])
    for tactic in row:
        assert tactic.text == policy.decode_tactic(tactic.token_ids) == tactic.text.strip()


def test_a_text_has_one_canonical_token_sequence(policy):
    ids = policy.encode_tactic("simpl; auto.")
    pieces = tuple(token for char in "simpl; auto." for token in policy.encode_tactic(char))
    assert policy.canonical_ids("simpl; auto.", pieces) == ids
    long = "x " * (policy.max_tactic_tokens + 5)
    assert policy.canonical_ids(long, (5, 6)) == (5, 6), "the text is longer than a tactic may be"


def test_long_tactics_are_cut_and_can_be_scored(policy):
    ids = policy.encode_tactic("intros x y z. " * 50)
    assert len(ids) == policy.max_tactic_tokens
    assert policy.score([ScoreRequest(STATE, (ids,))]).isfinite().all()


def test_state_features_are_the_hidden_states_that_predict_the_first_token(causal_policy):
    policy = causal_policy
    states = [STATE, "⊢ True"]
    features_BD = policy.state_features(states)
    assert not features_BD.requires_grad
    for state, feature_D in zip(states, features_BD, strict=True):
        ids = torch.tensor([policy.encode_state(state)])
        with torch.no_grad():
            output = policy.decoder.model(input_ids=ids, output_hidden_states=True)
        torch.testing.assert_close(feature_D, output.hidden_states[-1][0, -1], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_the_greedy_tactic_takes_the_most_likely_token_every_time(policy):
    states = [STATE, "⊢ True", "A : Type\nl : list A\n⊢ rev (rev l) = l"]
    for state, tactic in zip(states, policy.greedy(states), strict=True):
        ids, log_prob = [], 0.0
        while len(ids) < policy.max_tactic_tokens:
            logits_V = policy.plain_logits(policy.encode_state(state), [*ids, 0])[-1].detach()
            logits_V[list(policy.decoder.suppressed_ids)] = -torch.inf
            token = int(logits_V.argmax())
            log_prob += float(logits_V.log_softmax(-1)[token])
            if token == policy.decoder.stop_id:
                break
            ids.append(token)
        assert tactic.token_ids == tuple(ids)
        assert tactic.text == policy.decode_tactic(ids)
        assert tactic.log_prob == pytest.approx(log_prob, abs=1e-4)
    assert policy.greedy([]) == []


def gradients(policy):
    return [None if p.grad is None else p.grad.clone() for p in policy.trainable_parameters()]


def test_reference_is_frozen_and_apart(policy):
    reference = policy.make_reference()
    trainable = {id(p) for p in policy.trainable_parameters()}
    assert trainable
    assert not any(p.requires_grad for p in reference.parameters())
    assert trainable.isdisjoint(id(p) for p in reference.parameters())
    before = [p.clone() for p in reference.parameters()]
    prior = reference.score(REQUESTS)
    assert not prior.requires_grad
    torch.testing.assert_close(prior, policy.score(REQUESTS).detach())

    optimizer = torch.optim.SGD(policy.trainable_parameters(), lr=0.5)
    policy.score(REQUESTS).sum().backward()
    optimizer.step()
    assert (policy.score(REQUESTS) - prior).abs().min() > 1e-3
    torch.testing.assert_close(reference.score(REQUESTS), prior, atol=0, rtol=0)
    assert all(torch.equal(a, b) for a, b in zip(before, reference.parameters(), strict=True))


def test_gradients_are_the_same_with_reference_scoring_in_between(policy):
    policy.score(REQUESTS).sum().backward()
    expected = gradients(policy)
    policy.zero_grad()
    reference = policy.make_reference()
    reference.score(REQUESTS)
    log_p_N = policy.score(REQUESTS)
    reference.sample([SampleRequest(STATE, (SamplingParams(0),))])
    reference.score(REQUESTS)
    log_p_N.sum().backward()
    for actual, wanted in zip(gradients(policy), expected, strict=True):
        assert (actual is None) == (wanted is None)
        if actual is not None:
            torch.testing.assert_close(actual, wanted, atol=0, rtol=0)


def test_reference_of_a_lora_policy_shares_the_backbone(make_lora):
    policy = make_lora()
    reference = policy.make_reference()
    frozen = {p.data_ptr() for p in policy.parameters() if not p.requires_grad}
    copied = [p for p in reference.parameters() if p.data_ptr() not in frozen]
    assert sum(p.numel() for p in copied) == sum(p.numel() for p in policy.trainable_parameters())
    assert reference.tokenizer is policy.tokenizer


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_tactic_tokens": 0}, "max_tactic_tokens=0"),
        ({"max_tactic_tokens": 12, "top_p": 0.0}, "top_p=0.0"),
        ({"max_tactic_tokens": 12, "top_p": 1.1}, "top_p=1.1"),
        ({"max_tactic_tokens": 13}, "max_position_embeddings is 77"),
    ],
)
def test_impossible_limits(make_tiny, options, message):
    policy = make_tiny()
    with pytest.raises(ConfigError, match=message):
        CausalPolicy(policy.model, policy.tokenizer, policy.prompt, **options)


def test_a_sliding_window_must_hold_prompt_and_tactic(make_lora):
    policy = make_lora()
    policy.decoder.model.config.sliding_window = 40
    with pytest.raises(ConfigError, match="sliding_window is 40"):
        CausalPolicy(policy.model, policy.tokenizer, policy.prompt, max_tactic_tokens=12)
