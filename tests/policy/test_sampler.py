import itertools
import math
from collections import Counter

import numpy as np
import pytest
import torch

from ntp.errors import NtpError
from ntp.policy.policy import TacticPolicy
from ntp.policy.prompt import SampleRequest, SamplingParams, ScoreRequest
from ntp.policy.sampler import inverse_cdf, tempered

STATES = ["n : nat\n⊢ n + 0 = n", "⊢ True", "A : Type\nl : list A\nx y : A\n⊢ rev (rev l) = l", "⊢ 0 = 0"]


def with_top_p(policy, top_p):
    policy.top_p = top_p
    return policy


def random_requests(seed, num_states=6):
    rng = np.random.default_rng(seed)
    requests = []
    for _ in range(num_states):
        text = "".join(rng.choice(list("abn :⊢=+"), size=rng.integers(0, 60)))
        temperatures = rng.choice([0.5, 1.0, 1.7], size=rng.integers(0, 9))
        draws = tuple(SamplingParams(int(rng.integers(2**62)), float(t)) for t in temperatures)
        requests.append(SampleRequest(text, draws))
    return requests


@pytest.mark.parametrize("top_p", [1.0, 0.7])
@pytest.mark.parametrize("seed", range(4))
def test_sampled_log_probs_are_the_plain_ones(policy, plain_log_prob, top_p, seed):
    requests = random_requests(seed)
    rows = with_top_p(policy, top_p).sample(requests)
    assert [len(row) for row in rows] == [len(request.draws) for request in requests]
    with torch.no_grad():
        for request, row in zip(requests, rows, strict=True):
            for tactic in row:
                expected = plain_log_prob(policy, request.state, tactic.token_ids).item()
                assert tactic.log_prob == pytest.approx(expected, abs=1e-4)


def test_rows_that_finish_early_leave_the_others_alone(make_micro, plain_log_prob):
    policy = make_micro(max_tactic_tokens=12)
    requests = [SampleRequest("a b c a b c a"[: 2 * (i % 8)], (SamplingParams(i, 0.7),)) for i in range(24)]
    rows = policy.sample(requests)
    last = [max(len(tactic.token_ids) for tactic in row) for row in rows]
    assert len(set(last)) >= 4
    with torch.no_grad():
        for request, row in zip(requests, rows, strict=True):
            for tactic in row:
                expected = plain_log_prob(policy, request.state, tactic.token_ids).item()
                assert tactic.log_prob == pytest.approx(expected, abs=1e-4)


def test_a_draw_does_not_depend_on_its_company(policy):
    requests = [
        SampleRequest(s, tuple(SamplingParams(7 * i + j, 1.3) for j in range(5)))
        for i, s in enumerate(STATES)
    ]
    together = policy.sample(requests)
    for request, row in zip(requests, together, strict=True):
        for draw, tactic in zip(request.draws, row, strict=True):
            ((alone,),) = policy.sample([SampleRequest(request.state, (draw,))])
            assert alone.token_ids == tactic.token_ids
            assert alone.log_prob == pytest.approx(tactic.log_prob, abs=1e-4)


def test_order_and_grouping_do_not_matter(policy, monkeypatch):
    requests = random_requests(11)
    whole = policy.sample(requests)
    backwards = policy.sample(requests[::-1])[::-1]
    monkeypatch.setattr("ntp.policy.sampler.MAX_CACHE_TOKENS", 200)
    monkeypatch.setattr("ntp.policy.sampler.MAX_PREFILL_TOKENS", 50)
    monkeypatch.setattr("ntp.policy.encoder_decoder.MAX_ENCODER_TOKENS", 50)
    for other in (backwards, policy.sample(requests)):
        assert [[t.token_ids for t in row] for row in other] == [[t.token_ids for t in row] for row in whole]


def test_same_seed_same_tactic_other_seed_other_tactic(make_tiny):
    (row,) = make_tiny().sample(
        [SampleRequest("⊢ True", tuple(SamplingParams(seed) for seed in (3, 3, *range(40))))]
    )
    assert row[0].token_ids == row[1].token_ids
    assert len({tactic.token_ids for tactic in row}) > 30


def all_tactics(policy):
    words = [i for i in range(len(policy.tokenizer)) if i not in (0, 1, 2)]
    lengths = range(policy.max_tactic_tokens + 1)
    return [tactic for n in lengths for tactic in itertools.product(words, repeat=n)]


def exact_distribution(policy, state, temperature=1.0, top_p=1.0):
    """Sampling distribution of all tactics, from plain conditional distributions."""
    decoder = policy.decoder

    def conditional(prefix):
        ids = torch.tensor([[*policy.encode_state(state), *prefix]])
        logits = decoder.model(input_ids=ids).logits[0, -1].double() / temperature
        logits[list(decoder.suppressed_ids)] = -torch.inf
        p = logits.softmax(-1).numpy()
        kept, mass = [], 0.0
        for token in np.argsort(-p, kind="stable"):
            if mass < top_p:
                kept.append(token)
                mass += p[token]
        return {int(token): p[token] / mass for token in kept}

    result = {}

    def extend(prefix, probability):
        if len(prefix) == policy.max_tactic_tokens:
            result[prefix] = probability
            return
        for token, p in conditional(prefix).items():
            if token == decoder.stop_id:
                result[prefix] = probability * p
            else:
                extend((*prefix, token), probability * p)

    with torch.no_grad():
        extend((), 1.0)
    return result


@pytest.mark.parametrize(
    ("temperature", "top_p"), [(1.0, 1.0), (0.6, 1.0), (1.8, 1.0), (1.0, 0.6), (0.7, 0.8)]
)
def test_frequencies_are_the_exact_distribution(make_micro, temperature, top_p):
    policy = make_micro(top_p=top_p)
    state, num_draws = "a b", 4000
    exact = exact_distribution(policy, state, temperature, top_p)
    assert math.fsum(exact.values()) == pytest.approx(1)
    draws = tuple(SamplingParams(seed, temperature) for seed in range(num_draws))
    (row,) = policy.sample([SampleRequest(state, draws)])
    counts = Counter(tactic.token_ids for tactic in row)
    assert counts.keys() <= exact.keys()
    # Pearson's statistic has mean k - 1 and variance 2 (k - 1); rare tactics are pooled.
    frequent = [t for t, p in exact.items() if p * num_draws >= 5]
    cells = [(counts[t], exact[t] * num_draws) for t in frequent]
    rest = (num_draws - sum(o for o, _ in cells), num_draws - sum(e for _, e in cells))
    cells += [rest] if rest[1] >= 5 else []
    statistic = sum((observed - expected) ** 2 / expected for observed, expected in cells)
    degrees = len(cells) - 1
    assert degrees >= 2
    assert statistic < degrees + 4 * math.sqrt(2 * degrees)


def test_probabilities_of_all_tactics_sum_to_one(make_micro):
    for length, num_words in ((1, 5), (3, 3), (4, 2)):
        policy = make_micro(num_words=num_words, max_tactic_tokens=length)
        tactics = tuple(all_tactics(policy))
        with torch.no_grad():
            log_p_N = policy.score([ScoreRequest("a b c", tactics), ScoreRequest("", tactics)])
        totals = log_p_N.double().exp().view(2, -1).sum(1)
        torch.testing.assert_close(totals, torch.ones(2, dtype=torch.float64), atol=1e-6, rtol=0)


def test_log_prob_is_untempered(make_micro):
    policy = make_micro()
    exact = exact_distribution(policy, "a")
    (row,) = policy.sample([SampleRequest("a", tuple(SamplingParams(seed, 3.0) for seed in range(100)))])
    for tactic in row:
        assert math.exp(tactic.log_prob) == pytest.approx(exact[tactic.token_ids], rel=1e-4)


def test_length_bound_and_no_special_tokens(make_tiny):
    policy = make_tiny()
    with torch.no_grad():  # A model that would love to emit special tokens and never stops by itself.
        policy.model.model.embed_tokens.weight[[0, 2]] *= 5
        policy.model.model.embed_tokens.weight[1] *= -5
    (row,) = policy.sample([SampleRequest("⊢ True", tuple(SamplingParams(seed) for seed in range(200)))])
    lengths = {len(tactic.token_ids) for tactic in row}
    assert max(lengths) == policy.max_tactic_tokens
    special = set(policy.tokenizer.all_special_ids)
    assert all(special.isdisjoint(tactic.token_ids) for tactic in row)


def test_nothing_asked_nothing_drawn(make_tiny):
    policy = make_tiny()
    assert policy.sample([]) == []
    assert policy.sample([SampleRequest("⊢ True", ())]) == [[]]


def test_prompts_go_through_the_model_once(make_tiny):
    policy = make_tiny()
    seen = []
    policy.decoder.model.base_model.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["input_ids"].numel()), with_kwargs=True
    )
    (row,) = policy.sample([SampleRequest(STATES[2], tuple(SamplingParams(seed) for seed in range(8)))])
    fed = sum(min(len(t.token_ids), policy.max_tactic_tokens - 1) for t in row)
    assert sum(seen) == len(policy.encode_state(STATES[2])) + fed


def test_sampling_is_in_evaluation_mode_and_restores_training_mode(lora_factory, plain_log_prob):
    factory = type(lora_factory)(
        **{**vars(lora_factory), "adapter": {"r": 4, "dropout": 0.9, "target_modules": ["q_proj", "v_proj"]}}
    )
    policy = factory.create()
    with torch.no_grad():
        for p in policy.trainable_parameters():
            p.normal_(std=0.3)
    assert policy.training
    (row,) = policy.sample([SampleRequest("⊢ True", tuple(SamplingParams(seed) for seed in range(4)))])
    assert policy.training
    policy.eval()
    for tactic in row:
        expected = plain_log_prob(policy, "⊢ True", tactic.token_ids).item()
        assert tactic.log_prob == pytest.approx(expected, abs=1e-4)
    policy.sample([SampleRequest("⊢ True", (SamplingParams(0),))])
    assert not policy.training


def test_diverged_weights_are_reported(make_tiny):
    policy: TacticPolicy = make_tiny()
    with torch.no_grad():
        policy.model.model.norm.weight.fill_(math.nan)
    with pytest.raises(NtpError, match="training diverged"):
        policy.sample([SampleRequest("⊢ True", (SamplingParams(0),))])


def test_bfloat16_stays_near_float32(make_tiny):
    policy, rounded = make_tiny(), make_tiny(precision="bf16")
    requests = [ScoreRequest(state, ((5, 6, 7), (8,))) for state in STATES]
    with torch.no_grad():
        difference = (policy.score(requests) - rounded.score(requests)).abs().max().item()
    assert 0 < difference < 0.2
    (row,) = rounded.sample([SampleRequest(STATES[0], tuple(map(SamplingParams, range(8))))])
    with torch.no_grad():
        scored = rounded.score([ScoreRequest(STATES[0], tuple(t.token_ids for t in row))]).tolist()
    assert scored == pytest.approx([t.log_prob for t in row], abs=0.3)


def test_inverse_cdf_against_numpy():
    rng = np.random.default_rng(0)
    for top_p in (1.0, 0.5):
        logits = torch.from_numpy(rng.normal(size=(200, 7)) * 2)
        logits[:, 3] = -torch.inf
        temperature = torch.from_numpy(rng.uniform(0.3, 2, size=200))
        uniform = rng.uniform(size=200)
        p_NV = tempered(logits.log_softmax(-1), temperature, top_p)
        tokens = inverse_cdf(p_NV, torch.from_numpy(uniform))
        for row in range(200):
            p = np.exp(logits[row].numpy() / temperature[row].item())
            p /= p.sum()
            order = np.argsort(-p)
            before = np.cumsum(p[order]) - p[order]
            p[order[before >= top_p]] = 0
            cdf = np.cumsum(p / p.sum())
            assert tokens[row] == int(np.searchsorted(cdf, uniform[row], side="right"))


def test_inverse_cdf_never_picks_the_impossible():
    p_NV = torch.tensor([[0.0, 1.0, 0.0]], dtype=torch.float64).repeat(2, 1)
    uniform_N = torch.tensor([0.0, 1 - 2**-53], dtype=torch.float64)
    assert inverse_cdf(p_NV, uniform_N).tolist() == [1, 1]
