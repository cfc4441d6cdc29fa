import json
import shutil

import pytest
import torch

from ntp.errors import CheckpointError, ConfigError
from ntp.policy.factory import PretrainedPolicyFactory, Seq2SeqPolicyFactory, TinyPolicyFactory
from ntp.policy.prompt import SampleRequest, SamplingParams

TEXTS = ["n : nat\n⊢ n + 0 = n", "induction n; simpl; auto."]
SMALL = {"vocab_size": 280, "hidden_size": 32, "num_layers": 2, "num_heads": 2, "intermediate_size": 48}
REQUESTS = [SampleRequest("⊢ True", tuple(map(SamplingParams, range(6))))]


def perturbed(policy):
    """What training does: other weights than at creation."""
    with torch.no_grad():
        for p in policy.trainable_parameters():
            p.add_(torch.randn_like(p) * 0.1)
    return policy


def test_tiny_is_a_function_of_texts_and_seed():
    same = [TinyPolicyFactory(**SMALL).create(iter(TEXTS)).sample(REQUESTS) for _ in range(2)]
    assert same[0] == same[1]
    assert TinyPolicyFactory(**SMALL, seed=1).create(TEXTS).sample(REQUESTS) != same[0]


def test_tiny_saved_and_loaded_is_the_same(tmp_path):
    factory = TinyPolicyFactory(**SMALL)
    policy = perturbed(factory.create(TEXTS))
    policy.save(tmp_path)
    loaded = factory.load(tmp_path)
    assert loaded.sample(REQUESTS) == policy.sample(REQUESTS)
    assert len(loaded.trainable_parameters()) == len(policy.trainable_parameters())


@pytest.mark.parametrize("adapter", [None, {"r": 4, "target_modules": ["q_proj", "v_proj"]}])
def test_pretrained_saved_and_loaded_is_the_same(pretrained, tmp_path, adapter):
    factory = PretrainedPolicyFactory(str(pretrained), adapter, dtype="auto")
    policy = perturbed(factory.create())
    policy.save(tmp_path)
    loaded = factory.load(tmp_path)
    drawn, again = loaded.sample(REQUESTS)[0], policy.sample(REQUESTS)[0]
    assert [t.token_ids for t in drawn] == [t.token_ids for t in again]
    assert [t.log_prob for t in drawn] == pytest.approx([t.log_prob for t in again], abs=1e-4)
    assert len(loaded.trainable_parameters()) == len(policy.trainable_parameters())


@pytest.mark.parametrize("adapter", [None, {"r": 4}])
def test_seq2seq_saved_and_loaded_is_the_same(byt5, tmp_path, adapter):
    factory = Seq2SeqPolicyFactory(str(byt5), adapter, max_tactic_tokens=12)
    policy = perturbed(factory.create())
    policy.save(tmp_path)
    assert (tmp_path / "model.safetensors").exists() == (adapter is None)
    loaded = factory.load(tmp_path)
    drawn, again = loaded.sample(REQUESTS)[0], policy.sample(REQUESTS)[0]
    assert [t.token_ids for t in drawn] == [t.token_ids for t in again]
    assert [t.log_prob for t in drawn] == pytest.approx([t.log_prob for t in again], abs=1e-4)
    assert len(loaded.trainable_parameters()) == len(policy.trainable_parameters())
    if adapter is not None:
        config = json.loads((tmp_path / "adapter_config.json").read_text())
        assert config["task_type"] == "SEQ_2_SEQ_LM"
        merged = [t.log_prob for t in policy.sample(REQUESTS)[0]]
        policy.merge_adapters()
        assert not policy.has_adapters
        assert [t.log_prob for t in policy.sample(REQUESTS)[0]] == pytest.approx(merged, abs=1e-3)


def test_a_model_as_published_is_loaded(byt5, pretrained):
    for factory, directory in ((Seq2SeqPolicyFactory, byt5), (PretrainedPolicyFactory, pretrained)):
        published = factory("ntp-tests/no-such-model", max_tactic_tokens=12).load(directory)
        created = factory(str(directory), max_tactic_tokens=12).create()
        assert published.sample(REQUESTS) == created.sample(REQUESTS)


def test_a_tactic_may_end_with_another_token_than_eos(pretrained):
    def make(**options):
        return PretrainedPolicyFactory(
            str(pretrained), max_tactic_tokens=12, **options, dtype="auto"
        ).create()

    policy = make(stop=";")
    semicolon = policy.tokenizer(";")["input_ids"][-1]
    assert policy.decoder.stop_id == semicolon
    assert policy.tokenizer.eos_token_id in policy.decoder.suppressed_ids
    assert policy.decode_tactic(policy.encode_tactic("simpl; auto.")) == "simpl"
    (row,) = policy.sample([SampleRequest("⊢ True", tuple(map(SamplingParams, range(200))))])
    assert not any(";" in tactic.text for tactic in row)
    assert min(len(tactic.token_ids) for tactic in row) < 12
    with pytest.raises(ConfigError, match="is not one token"):
        make(stop="; auto.\nx")


def test_lora_is_saved_without_the_backbone(pretrained, tmp_path):
    PretrainedPolicyFactory(str(pretrained), {"r": 4}, dtype="auto").create().save(tmp_path)
    assert (tmp_path / "adapter_model.safetensors").is_file()
    assert not (tmp_path / "model.safetensors").exists()


def test_lora_creation_is_a_function_of_the_seed(pretrained):
    def first_adapter(seed):
        policy = PretrainedPolicyFactory(str(pretrained), {"r": 4}, seed=seed, dtype="auto").create()
        return policy.trainable_parameters()[0]

    assert torch.equal(first_adapter(0), first_adapter(0))
    assert not torch.equal(first_adapter(0), first_adapter(1))


def test_checkpoint_of_other_sizes(tmp_path):
    TinyPolicyFactory(**SMALL).create(TEXTS).save(tmp_path)
    with pytest.raises(CheckpointError) as info:
        TinyPolicyFactory(**{**SMALL, "hidden_size": 64, "num_layers": 3}).load(tmp_path)
    message = str(info.value)
    assert "hidden_size=32" in message and "hidden_size=64" in message
    assert "num_hidden_layers=2" in message and "num_hidden_layers=3" in message
    assert str(tmp_path) in message and "\n" not in message


def test_checkpoint_whose_tokenizer_was_exchanged(tmp_path):
    factory = TinyPolicyFactory(**SMALL)
    factory.create(TEXTS).save(tmp_path / "a")
    factory.create(["other texts altogether", "quite different"]).save(tmp_path / "b")
    shutil.copy(tmp_path / "b" / "tokenizer.json", tmp_path / "a" / "tokenizer.json")
    with pytest.raises(CheckpointError, match="vocabulary="):
        factory.load(tmp_path / "a")


def test_checkpoint_of_another_kind_or_base(pretrained, tmp_path):
    TinyPolicyFactory(**SMALL).create(TEXTS).save(tmp_path / "tiny")
    lora = PretrainedPolicyFactory(str(pretrained), {"r": 4}, dtype="auto")
    lora.create().save(tmp_path / "lora")
    with pytest.raises(CheckpointError, match=r"another model.*model_type=llama.*model_type=mistral"):
        lora.load(tmp_path / "tiny")
    with pytest.raises(CheckpointError, match=r"another model.*model_type=mistral.*model_type=llama"):
        TinyPolicyFactory(**SMALL).load(tmp_path / "lora")
    with pytest.raises(CheckpointError, match=r"lora_rank=4.*lora_rank=None"):
        PretrainedPolicyFactory(str(pretrained), dtype="auto").load(tmp_path / "lora")
    with pytest.raises(CheckpointError, match=r"lora_rank=4.*lora_rank=8"):
        PretrainedPolicyFactory(str(pretrained), {"r": 8}, dtype="auto").load(tmp_path / "lora")
    other = tmp_path / "other-base"
    shutil.copytree(pretrained, other)
    with pytest.raises(CheckpointError, match=r"base=small.*base=other-base"):
        PretrainedPolicyFactory(str(other), {"r": 4}, dtype="auto").load(tmp_path / "lora")


def test_pretrained_may_move(pretrained, tmp_path):
    policy = perturbed(PretrainedPolicyFactory(str(pretrained), {"r": 4}, dtype="auto").create())
    policy.save(tmp_path / "lora")
    moved = tmp_path / "elsewhere" / pretrained.name
    shutil.copytree(pretrained, moved)
    loaded = PretrainedPolicyFactory(str(moved), {"r": 4}, dtype="auto").load(tmp_path / "lora")
    assert [t.token_ids for t in loaded.sample(REQUESTS)[0]] == [
        t.token_ids for t in policy.sample(REQUESTS)[0]
    ]


def test_directories_without_a_policy(tmp_path):
    with pytest.raises(CheckpointError, match=r"ntp_policy\.json is missing"):
        TinyPolicyFactory().load(tmp_path / "nowhere")
    (tmp_path / "ntp_policy.json").write_text("{")
    with pytest.raises(CheckpointError, match="not valid JSON"):
        TinyPolicyFactory().load(tmp_path)
    (tmp_path / "ntp_policy.json").write_text(json.dumps({}))
    with pytest.raises(CheckpointError):
        TinyPolicyFactory().load(tmp_path)
