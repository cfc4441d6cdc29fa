import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BertConfig,
    BertModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5EncoderModel,
    T5ForConditionalGeneration,
)

from ntp.errors import CheckpointError, ConfigError
from ntp.models.tokenizer import train_word_tokenizer
from ntp.retrieval.dual_encoder import DualEncoder, encode_all
from ntp.retrieval.encoder_factory import PretrainedEncoderFactory, TinyEncoderFactory

TEXTS = ["n : nat\n⊢ n + 0 = n", "Lemma <a>Nat.add_0_r</a> : forall n, n + 0 = n.", "⊢ True", ""]


def t5_config(tokenizer):
    return T5Config(vocab_size=len(tokenizer), d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)


def bert_config(tokenizer):
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    return BertConfig(vocab_size=len(tokenizer), **sizes)


@pytest.fixture(params=["t5", "t5 encoder-decoder", "bert"])
def saved(request, tmp_path):
    """A small pretrained encoder as the hub would give it, and its model in memory."""
    tokenizer = train_word_tokenizer(TEXTS, 300)
    torch.manual_seed(0)
    model = {
        "t5": lambda: T5EncoderModel(t5_config(tokenizer)),
        "t5 encoder-decoder": lambda: T5ForConditionalGeneration(t5_config(tokenizer)),
        "bert": lambda: BertModel(bert_config(tokenizer)),
    }[request.param]()
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    return tmp_path, (model.get_encoder() if "decoder" in request.param else model).eval(), tokenizer


def test_a_pretrained_encoder_is_loaded_pooled_and_normalised(saved):
    path, model, tokenizer = saved
    encoder = PretrainedEncoderFactory(str(path)).create().eval()
    for text, vector in zip(TEXTS[:3], encoder.encode_premises(TEXTS[:3]), strict=True):
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        mean = model(input_ids=ids).last_hidden_state[0].mean(0)  # alone: no padding to be masked
        torch.testing.assert_close(vector, mean / mean.norm(), atol=1e-5, rtol=0)


def test_what_was_saved_is_loaded(tiny_encoder, tmp_path):
    encoder = tiny_encoder(TEXTS).eval()
    encoder.max_state_tokens = 7
    encoder.save(tmp_path)
    loaded = DualEncoder.load(tmp_path).eval()
    assert (loaded.max_state_tokens, loaded.max_premise_tokens) == (7, encoder.max_premise_tokens)
    assert loaded.fingerprint() == encoder.fingerprint()
    torch.testing.assert_close(loaded.encode_states(TEXTS), encoder.encode_states(TEXTS))


def test_states_keep_their_end_and_premises_their_beginning(tiny_encoder):
    encoder = tiny_encoder(TEXTS).eval()
    encoder.max_state_tokens = encoder.max_premise_tokens = 3
    long, end, beginning = "a b c d e f", "d e f", "a b c"
    torch.testing.assert_close(*encoder.encode_states([long, end]))
    torch.testing.assert_close(*encoder.encode_premises([long, beginning]))
    assert not torch.allclose(*encoder.encode_premises([long, end]), atol=1e-2)


def test_text_that_looks_like_a_special_token_is_text(tiny_encoder):
    encoder = tiny_encoder(TEXTS).eval()
    plain, special = encoder.tokenizer(["<pad>", "x"], split_special_tokens=True)["input_ids"]
    assert encoder.tokenizer.pad_token_id not in plain
    vectors = encoder.encode_states(["x <pad> <pad>", "x"])
    assert not torch.allclose(vectors[0], vectors[1], atol=1e-2)
    assert special


def test_any_batching_gives_the_same_vectors_in_order(tiny_encoder):
    encoder = tiny_encoder(TEXTS).eval()
    texts = [*TEXTS, "x", "forall n m, n + m = m + n", ""]
    alone = torch.cat([encoder.encode_premises([text]) for text in texts]).detach().numpy()
    done = []
    for batch_size in (1, 3, 100):
        vectors = encode_all(encoder.encode_premises, texts, batch_size, done.append)
        assert vectors == pytest.approx(alone, abs=1e-5)
    assert sum(done) == 3 * len(texts)


def test_the_fingerprint_sees_every_weight(tiny_encoder):
    encoder = tiny_encoder(TEXTS)
    seen = {encoder.fingerprint()}
    for parameter in encoder.parameters():
        with torch.no_grad():
            parameter.view(-1)[-1] += 1e-3
        assert encoder.fingerprint() not in seen
        seen.add(encoder.fingerprint())


def test_initial_weights_are_a_function_of_the_seed():
    sizes = {"vocab_size": 300, "hidden_size": 16, "num_heads": 2, "intermediate_size": 16}
    one, same, other = (TinyEncoderFactory(**sizes, seed=s).create(TEXTS).fingerprint() for s in (0, 0, 1))
    assert one == same != other


def test_errors_say_what_is_wrong(tiny_encoder, tmp_path):
    with pytest.raises(ConfigError, match="no multiple of num_heads=3"):
        TinyEncoderFactory(num_heads=3).create(TEXTS)
    with pytest.raises(ConfigError, match="max_premise_tokens=1 "):
        TinyEncoderFactory(vocab_size=300, max_premise_tokens=1).create(TEXTS)
    with pytest.raises(CheckpointError, match=r"no model in .*config\.json is missing"):
        DualEncoder.load(tmp_path)
    encoder = tiny_encoder(TEXTS)
    encoder.save(tmp_path)
    (tmp_path / "ntp_retriever.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"ntp_retriever\.json is corrupt"):
        DualEncoder.load(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"1234")
    with pytest.raises(CheckpointError, match="cannot load the model"):
        DualEncoder.load(tmp_path)


def test_a_tokenizer_without_padding_is_an_error(tiny_encoder):
    bare = Tokenizer(models.WordLevel({"x": 0}, unk_token="x"))
    bare.pre_tokenizer = pre_tokenizers.Whitespace()
    with pytest.raises(ConfigError, match="no padding token"):
        DualEncoder(tiny_encoder(TEXTS).model, PreTrainedTokenizerFast(tokenizer_object=bare))
