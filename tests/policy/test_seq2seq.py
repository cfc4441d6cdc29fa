import itertools

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    MT5Config,
    MT5ForConditionalGeneration,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

from ntp.errors import CheckpointError, ConfigError
from ntp.models.tokenizer import train_tokenizer
from ntp.policy.factory import PretrainedPolicyFactory, Seq2SeqPolicyFactory
from ntp.policy.prompt import PromptFormat, SampleRequest, SamplingParams, ScoreRequest
from ntp.policy.seq2seq import Seq2SeqPolicy

STATES = ["n : ℕ\n⊢ n + 0 = n", "⊢ True", "α : Type\nl : List α\n⊢ l.reverse.reverse = l", "x : ℕ\n" * 30]


@pytest.fixture
def make(make_policy):
    return make_policy["seq2seq"]


def by_hand(policy, state, tokens):
    """Log P_F with the model's own encoder, decoder and head, token by token and with nothing cached."""
    model, tokenizer = policy.decoder.model, policy.tokenizer
    encoded = tokenizer(state, return_tensors="pt").input_ids[:, -policy.prompt.max_state_tokens - 1 :]
    fed, total = [model.config.decoder_start_token_id], 0.0
    for token in [*tokens, tokenizer.eos_token_id][: policy.max_tactic_tokens]:
        logits_V = model(input_ids=encoded, decoder_input_ids=torch.tensor([fed])).logits[0, -1]
        allowed = [1, *range(3, 259)]  # EOS and the bytes
        total += (logits_V[token] - logits_V[allowed].logsumexp(0)).item()
        fed.append(token)
    return total


def test_sampler_and_scorer_agree_with_a_loop_by_hand(make):
    policy = make().eval()
    rows = policy.sample([SampleRequest(s, tuple(map(SamplingParams, range(5)))) for s in STATES])
    with torch.no_grad():
        scores = policy.score(
            [ScoreRequest(s, tuple(t.token_ids for t in row)) for s, row in zip(STATES, rows, strict=True)]
        )
        expected = [by_hand(policy, s, t.token_ids) for s, row in zip(STATES, rows, strict=True) for t in row]
    assert scores.tolist() == pytest.approx(expected, abs=1e-4)
    assert [t.log_prob for row in rows for t in row] == pytest.approx(expected, abs=1e-4)
    assert len({len(t.token_ids) for row in rows for t in row}) > 3


def test_prompts_are_what_the_tokenizer_makes_of_a_state(make):
    policy = make()
    assert policy.encode_state("⊢ a") == policy.tokenizer("⊢ a").input_ids
    long = "h : ℕ\n" * 50 + "⊢ a"
    assert policy.encode_state(long) == policy.tokenizer(long).input_ids[-65:]
    assert policy.prompt_end_ids == (1,)


def test_only_bytes_are_ever_sampled(make):
    policy = make()
    with torch.no_grad():  # a model that would love to say sentinels, padding and unknown symbols
        policy.model.lm_head.weight[[0, 2, 259, 300, 383]] *= 20
        policy.model.lm_head.weight[1] *= 0.1
    (row,) = policy.sample([SampleRequest("⊢ a", tuple(map(SamplingParams, range(100))))])
    tokens = {token for tactic in row for token in tactic.token_ids}
    assert tokens
    assert all(3 <= token < 259 for token in tokens)
    for special in (0, 1, 2, 259, 383):
        with pytest.raises(ValueError, match="special token"):
            policy.score([ScoreRequest("⊢ a", ((5, special),))])


def test_text_that_looks_like_special_tokens_is_text(make):
    policy = make()
    for text in ("</s>", "a <pad> b", "<extra_id_0>", "simp [ℕ , x] ."):
        assert policy.decode_tactic(policy.encode_tactic(text)) == policy.decode_tactic(
            tuple(byte + 3 for byte in text.encode()[:12])
        )
    assert not {0, 1, 2} & set(policy.encode_state("</s><pad>")[:-1])


def test_states_are_encoded_once_and_cross_attention_reads_them_once(make):
    policy = make()
    model = policy.decoder.model
    encoded, projected = [], []
    model.encoder.register_forward_pre_hook(
        lambda module, args, kwargs: encoded.append(kwargs["input_ids"].shape), with_kwargs=True
    )
    model.decoder.block[0].layer[1].EncDecAttention.k.register_forward_pre_hook(
        lambda module, args: projected.append(args[0].shape[:2])
    )
    (row,) = policy.sample([SampleRequest("⊢ True", tuple(map(SamplingParams, range(8))))])
    assert encoded == [(1, 8 + 1)]
    assert projected == [(1, 9)]
    policy.score([ScoreRequest("⊢ True", tuple(t.token_ids for t in row)), ScoreRequest("⊢ True", ((5,),))])
    assert encoded == [(1, 9)] * 2
    assert projected == [(1, 9)] * 2


def test_dropout_is_off_in_sampling_and_on_in_training_where_asked(byt5):
    factory = Seq2SeqPolicyFactory(str(byt5), max_tactic_tokens=6, dropout=0.5)
    policy = factory.create()
    assert policy.training
    requests = [SampleRequest("⊢ a", tuple(map(SamplingParams, range(4))))]
    assert policy.sample(requests) == policy.sample(requests)
    assert torch.equal(policy.state_features(["⊢ a"]), policy.state_features(["⊢ a"]))
    assert policy.training
    score = [ScoreRequest("⊢ a", ((5, 6, 7),))]
    assert policy.score(score) != policy.score(score)
    without = Seq2SeqPolicyFactory(str(byt5), max_tactic_tokens=6).create()
    assert without.training
    assert without.score(score) == without.score(score)


def test_state_features_are_the_mean_of_the_encoder(make):
    policy = make().eval()
    features_BD = policy.state_features(STATES[:2])
    assert features_BD.shape == (2, policy.hidden_size)
    assert not features_BD.requires_grad
    for state, feature_D in zip(STATES, features_BD, strict=False):
        ids = torch.tensor([policy.encode_state(state)])
        with torch.no_grad():
            wanted = policy.model.encoder(input_ids=ids).last_hidden_state[0].mean(0)
        torch.testing.assert_close(feature_D, wanted, atol=1e-5, rtol=1e-5)


def test_texts_of_states_have_no_probability(make):
    policy = make()
    scores = policy.score_texts(STATES[:2], [(5, 6), (7,)])
    alone = policy.score([ScoreRequest(STATES[0], ((5, 6),)), ScoreRequest(STATES[1], ((7,),))])
    torch.testing.assert_close(scores.tactic_N, alone)
    assert scores.prompt_N.tolist() == scores.num_prompt_tokens_N.tolist() == [0, 0]
    assert policy.score_texts([], []).tactic_N.shape == (0,)


def test_probabilities_of_all_tactics_sum_to_one():
    words = {token: i for i, token in enumerate(["<pad>", "</s>", "a", "b", "c"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="a"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>")
    config = T5Config(
        vocab_size=8, d_model=16, d_kv=4, d_ff=24, num_layers=2, num_heads=4, decoder_start_token_id=0
    )
    torch.manual_seed(0)
    policy = Seq2SeqPolicy(T5ForConditionalGeneration(config), fast, PromptFormat("{state}", None, 8), 3)
    tactics = tuple(t for n in range(4) for t in itertools.product((2, 3, 4), repeat=n))
    with torch.no_grad():
        log_p_N = policy.eval().score([ScoreRequest("a b c", tactics), ScoreRequest("b", tactics)])
    totals = log_p_N.double().exp().view(2, -1).sum(1)
    torch.testing.assert_close(totals, torch.ones(2, dtype=torch.float64), atol=1e-6, rtol=0)


SIZES = {"vocab_size": 280, "d_model": 32, "decoder_start_token_id": 0, "eos_token_id": 1, "pad_token_id": 0}
T5_SIZES = {**SIZES, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4}
BART_SIZES = {
    **SIZES,
    "max_position_embeddings": 64,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "init_std": 0.3,
}
FAMILIES = {
    "t5": lambda: T5ForConditionalGeneration(T5Config(**T5_SIZES, scale_decoder_outputs=True)),
    "mt5": lambda: MT5ForConditionalGeneration(MT5Config(**T5_SIZES)),
    "bart": lambda: BartForConditionalGeneration(BartConfig(**BART_SIZES, bos_token_id=0)),
}


def saved(family, directory):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        FAMILIES[family]().save_pretrained(directory)
    train_tokenizer(["n : nat\n⊢ n + 0 = n"], 280).save_pretrained(directory)
    return str(directory)


@pytest.mark.parametrize("family", FAMILIES)
def test_other_families(family, tmp_path, plain_log_prob):
    name = saved(family, tmp_path)
    policy = Seq2SeqPolicyFactory(name, max_state_tokens=60, max_tactic_tokens=10).create()
    rows = policy.sample([SampleRequest(s, tuple(map(SamplingParams, range(4)))) for s in STATES])
    with torch.no_grad():
        for state, row in zip(STATES, rows, strict=True):
            expected = [plain_log_prob(policy, state, t.token_ids).item() for t in row]
            assert [t.log_prob for t in row] == pytest.approx(expected, abs=1e-4)
            scores = policy.score([ScoreRequest(state, tuple(t.token_ids for t in row))])
            assert scores.tolist() == pytest.approx(expected, abs=1e-4)


def test_a_head_that_does_more_than_the_probe_knows_is_refused(tmp_path):
    name = saved("bart", tmp_path)
    model = BartForConditionalGeneration.from_pretrained(name)
    model.final_logits_bias.normal_(std=5.0)
    model.save_pretrained(name)
    with pytest.raises(CheckpointError, match="a bart model cannot be used: it needs") as info:
        Seq2SeqPolicyFactory(name, max_state_tokens=60, max_tactic_tokens=10).create()
    assert "\n" not in str(info.value)


def test_limits_of_positions(tmp_path):
    name = saved("bart", tmp_path)
    with pytest.raises(ConfigError, match="max_position_embeddings is 64"):
        Seq2SeqPolicyFactory(name, max_state_tokens=100, max_tactic_tokens=10).create()


def test_bfloat16_weights_and_products_stay_near(byt5, make):
    (row,) = make().sample([SampleRequest(STATES[0], tuple(map(SamplingParams, range(4))))])
    request = [ScoreRequest(STATES[0], tuple(t.token_ids for t in row))]
    scores = {}
    for options in ({}, {"dtype": "bfloat16"}, {"precision": "bf16"}):
        policy = Seq2SeqPolicyFactory(str(byt5), max_tactic_tokens=12, **options).create()
        with torch.no_grad():
            scores[str(options)] = policy.score(request)
    exact, *rounded = scores.values()
    for other in rounded:
        assert 0 < (exact - other).abs().max() < 0.5


@pytest.mark.parametrize("adapter", [None, {"r": 4}])
def test_gradient_checkpointing_changes_nothing(byt5, adapter):
    gradients = []
    for checkpointing in (False, True):
        policy = Seq2SeqPolicyFactory(str(byt5), adapter, gradient_checkpointing=checkpointing).create()
        policy.score([ScoreRequest(STATES[0], ((5, 6), (7,))), ScoreRequest("a", ((9,),))]).sum().backward()
        gradients.append([p.grad for p in policy.trainable_parameters()])
        policy.sample([SampleRequest("a", (SamplingParams(0),))])
    for plain, checkpointed in zip(*gradients, strict=True):
        assert (plain is None) == (checkpointed is None)
        if plain is not None:
            torch.testing.assert_close(plain, checkpointed, atol=1e-5, rtol=1e-3)


def test_a_model_of_the_other_kind(byt5, pretrained, tmp_path):
    with pytest.raises(CheckpointError, match=r"encoder-decoder model \(t5\).*choose model=seq2seq") as info:
        PretrainedPolicyFactory(str(byt5)).create()
    assert "\n" not in str(info.value)
    with pytest.raises(CheckpointError, match=r"mistral model, not an encoder-decoder") as info:
        Seq2SeqPolicyFactory(str(pretrained)).create()
    assert "\n" not in str(info.value)
    PretrainedPolicyFactory(str(pretrained)).create().save(tmp_path)
    with pytest.raises(CheckpointError, match=r"another model.*model_type=mistral.*model_type=t5"):
        Seq2SeqPolicyFactory(str(byt5)).load(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "float16"}, "dtype='float16' is not supported for encoder-decoders"),
        ({"dropout": 1.0}, "dropout=1.0"),
        ({"template": "state"}, "once"),
    ],
)
def test_impossible_options(byt5, options, message):
    with pytest.raises(ConfigError, match=message):
        Seq2SeqPolicyFactory(str(byt5), **options).create()
