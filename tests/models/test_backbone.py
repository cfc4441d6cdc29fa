import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from ntp.errors import CheckpointError, ConfigError
from ntp.models.backbone import (
    build_tiny_llama,
    load_causal_lm,
    load_seq2seq_lm,
    load_tokenizer,
    tiny_llama_config,
)
from ntp.models.tokenizer import train_tokenizer

SIZES = {"hidden_size": 256, "num_layers": 4, "num_heads": 4, "intermediate_size": 688, "max_positions": 512}


def test_tiny_llama_has_the_advertised_size_and_follows_its_seed():
    config = tiny_llama_config(train_tokenizer(["auto."], 300), **SIZES)
    config.vocab_size = 2048
    before = torch.random.get_rng_state()
    first, same, other = (build_tiny_llama(config, seed) for seed in (0, 0, 1))
    assert sum(p.numel() for p in first.parameters()) == 3_688_704
    assert torch.equal(first.model.embed_tokens.weight, same.model.embed_tokens.weight)
    assert not torch.equal(first.model.embed_tokens.weight, other.model.embed_tokens.weight)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_tiny_llama_refuses_heads_that_do_not_divide():
    with pytest.raises(ConfigError, match="num_heads=3"):
        tiny_llama_config(train_tokenizer(["auto."], 300), **{**SIZES, "num_heads": 3})


def test_load_is_what_was_saved(pretrained):
    model = load_causal_lm(pretrained, dtype="bfloat16", attn_implementation="eager")
    saved = AutoModelForCausalLM.from_pretrained(pretrained, dtype=torch.bfloat16)
    assert model.dtype == torch.bfloat16
    assert model.config._attn_implementation == "eager"
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), saved.parameters(), strict=True))


def test_an_encoder_decoder_is_what_was_saved_but_for_dropout(byt5, tmp_path):
    saved = load_file(byt5 / "model.safetensors")
    model = load_seq2seq_lm(byt5, dropout=0.25)
    assert torch.equal(model.lm_head.weight, saved["lm_head.weight"])
    assert torch.equal(model.shared.weight, saved["shared.weight"])
    assert not torch.equal(model.lm_head.weight, model.shared.weight)
    assert {m.p for m in model.modules() if isinstance(m, torch.nn.Dropout)} == {0.25}
    assert {m.dropout for m in model.modules() if isinstance(getattr(m, "dropout", None), float)} == {0.25}
    assert load_seq2seq_lm(byt5, dtype="bfloat16").dtype == torch.bfloat16
    model.save_pretrained(tmp_path)
    again = load_seq2seq_lm(tmp_path)
    assert torch.equal(again.lm_head.weight, model.lm_head.weight)
    assert again.config.scale_decoder_outputs == model.config.scale_decoder_outputs


def test_gradient_checkpointing_is_switched_on(pretrained):
    assert load_causal_lm(pretrained, gradient_checkpointing=True).is_gradient_checkpointing
    assert not load_causal_lm(pretrained).is_gradient_checkpointing


@pytest.mark.parametrize("path", ["/nonexistent/model", "./nonexistent", "~/nonexistent"])
def test_missing_path(path):
    with pytest.raises(CheckpointError, match=r"no model in .*nonexistent"):
        load_causal_lm(path)
    with pytest.raises(CheckpointError, match=r"no model in .*nonexistent"):
        load_tokenizer(path)


def test_hub_out_of_reach_says_to_give_a_path(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match="give the path of a local copy") as info:
        load_causal_lm("ntp-tests/no-such-model")
    assert "\n" not in str(info.value)


def test_incomplete_weights(pretrained, tmp_path):
    weights = load_file(pretrained / "model.safetensors")
    dropped = "model.layers.1.mlp.up_proj.weight"
    del weights[dropped]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "config.json").write_text((pretrained / "config.json").read_text())
    with pytest.raises(CheckpointError, match=rf"1 tensors missing \(first: {dropped}\)"):
        load_causal_lm(tmp_path)


def test_truncated_weights(pretrained, tmp_path):
    content = (pretrained / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(content[: len(content) // 2])
    (tmp_path / "config.json").write_text((pretrained / "config.json").read_text())
    with pytest.raises(CheckpointError, match="cannot load the model"):
        load_causal_lm(tmp_path)


def test_unknown_architecture(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "no_such_architecture"}))
    with pytest.raises(CheckpointError, match="cannot load the model"):
        load_causal_lm(tmp_path)


@pytest.mark.parametrize(
    "option",
    [{"dtype": "float33"}, {"attn_implementation": "flash_attention_2"}, {"quantization": "3bit"}],
)
def test_unknown_options(pretrained, option):
    with pytest.raises(ConfigError, match=next(iter(option.values()))):
        load_causal_lm(pretrained, **option)


def test_quantization_without_bitsandbytes(pretrained, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="needs bitsandbytes"):
        load_causal_lm(pretrained, quantization="4bit")
