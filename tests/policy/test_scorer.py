import pytest
import torch

from ntp.losses.trajectory_balance import vargrad_loss
from ntp.policy.prompt import SampleRequest, SamplingParams, ScoreRequest

STATES = ["n : nat\n⊢ n + 0 = n", "", "A : Type\nl : list A\n⊢ rev (rev l) = l", "x : nat\n" * 30 + "⊢ x = x"]


def sampled_requests(policy, num_draws=6):
    requests = [
        SampleRequest(s, tuple(SamplingParams(10 * i + j) for j in range(num_draws)))
        for i, s in enumerate(STATES)
    ]
    rows = policy.sample(requests)
    return [
        ScoreRequest(s, tuple(t.token_ids for t in row)) for s, row in zip(STATES, rows, strict=True)
    ], rows


def test_scores_are_the_sampled_log_probs(policy):
    requests, rows = sampled_requests(policy)
    scores = policy.score(requests)
    assert scores.tolist() == pytest.approx([t.log_prob for row in rows for t in row], abs=1e-4)


@pytest.mark.parametrize("max_tokens", [10, 60, 200, 100_000])
def test_scores_are_the_plain_ones_however_packed(policy, plain_log_prob, monkeypatch, max_tokens):
    monkeypatch.setattr("ntp.policy.scorer.MAX_BATCH_TOKENS", max_tokens)
    monkeypatch.setattr("ntp.policy.encoded_scorer.MAX_BATCH_TOKENS", max_tokens)
    monkeypatch.setattr("ntp.policy.encoder_decoder.MAX_ENCODER_TOKENS", max_tokens)
    requests, _ = sampled_requests(policy)
    requests.append(ScoreRequest("⊢ no tactic asked", ()))
    requests.append(ScoreRequest(STATES[0], ((), tuple(range(10, 10 + policy.max_tactic_tokens)))))
    with torch.no_grad():
        plain = [plain_log_prob(policy, r.state, ids).item() for r in requests for ids in r.tactics]
        assert policy.score(requests).tolist() == pytest.approx(plain, abs=1e-4)


@pytest.mark.parametrize("max_tokens", [10, 100, 100_000])
def test_texts_are_scored_as_a_plain_language_model_would(causal_policy, monkeypatch, max_tokens):
    policy = causal_policy
    monkeypatch.setattr("ntp.policy.scorer.MAX_BATCH_TOKENS", max_tokens)
    _, rows = sampled_requests(policy, num_draws=1)
    tactics = [row[0].token_ids for row in rows]
    with torch.no_grad():
        scores = policy.score_texts(STATES, tactics)
        alone = policy.score([ScoreRequest(s, (t,)) for s, t in zip(STATES, tactics, strict=True)])
        torch.testing.assert_close(scores.tactic_N, alone, atol=1e-4, rtol=0)
        special = policy.decoder.suppressed_ids
        for i, state in enumerate(STATES):
            prompt = torch.tensor(policy.encode_state(state))
            logits_LV = policy.model(prompt[None]).logits[0, :-1].float()
            logits_LV[:, list(special)] = -torch.inf
            ordinary_L = torch.tensor([int(token) not in special for token in prompt[1:]], dtype=torch.bool)
            log_p_L = logits_LV.log_softmax(-1).gather(1, prompt[1:, None])[:, 0][ordinary_L]
            assert scores.num_prompt_tokens_N[i] == len(log_p_L)
            assert scores.prompt_N[i].item() == pytest.approx(log_p_L.sum().item(), abs=1e-3)


def test_no_texts_have_no_scores(policy):
    assert policy.score_texts([], []).tactic_N.shape == (0,)


def test_repeated_pairs_are_computed_once_and_returned_in_place(make_tiny):
    policy = make_tiny()
    a, b, c = (5, 6), (7,), (8, 9, 10)
    with torch.no_grad():
        distinct = policy.score([ScoreRequest("x", (a, b)), ScoreRequest("y", (c,))])
        fed = count_tokens(policy)
        repeated = policy.score(
            [
                ScoreRequest("y", (c,)),
                ScoreRequest("x", (b, a, b)),
                ScoreRequest("x", (a,)),
                ScoreRequest("y", (c,)),
            ]
        )
    torch.testing.assert_close(repeated, distinct[[2, 1, 0, 1, 0, 2]])
    # Two rows, padded to one width: the prompt and the tactics of "x" or of "y".
    width = max(len(policy.encode_state(s)) + n for s, n in (("x", 3), ("y", 3)))
    assert sum(fed) == 2 * width


def count_tokens(policy):
    seen = []
    policy.decoder.model.base_model.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["input_ids"].numel()), with_kwargs=True
    )
    return seen


def loss_and_gradients(policy, log_pf_N):
    policy.zero_grad()
    group_N = torch.arange(len(log_pf_N)) // 6
    log_reward_N = -torch.arange(float(len(log_pf_N))) % 5
    loss = vargrad_loss(log_pf_N, log_reward_N, group_N)
    loss.backward()
    return loss.item(), [p.grad.clone() for p in policy.trainable_parameters()]


def test_loss_and_gradients_of_a_training_step_are_the_plain_ones(policy, plain_log_prob, monkeypatch):
    monkeypatch.setattr("ntp.policy.scorer.MAX_BATCH_TOKENS", 150)
    monkeypatch.setattr("ntp.policy.encoded_scorer.MAX_BATCH_TOKENS", 150)
    requests, _ = sampled_requests(policy)
    packed_loss, packed = loss_and_gradients(policy, policy.score(requests))
    plain_N = torch.stack([plain_log_prob(policy, r.state, ids) for r in requests for ids in r.tactics])
    plain_loss, plain = loss_and_gradients(policy, plain_N)
    assert packed_loss == pytest.approx(plain_loss, rel=1e-4)
    scale = max(p.abs().max().item() for p in plain)
    for a, b in zip(packed, plain, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4 * scale, rtol=1e-4)


def test_impossible_tactics_are_refused(make_tiny):
    policy = make_tiny()
    with pytest.raises(ValueError, match="exceeds max_tactic_tokens=12"):
        policy.score([ScoreRequest("x", (tuple(range(20, 33)),))])
    for special in policy.tokenizer.all_special_ids:
        with pytest.raises(ValueError, match="special token"):
            policy.score([ScoreRequest("x", ((5, special),))])


def test_nothing_to_score(make_tiny):
    assert make_tiny().score([]).shape == (0,)
    assert make_tiny().score([ScoreRequest("x", ())]).shape == (0,)
