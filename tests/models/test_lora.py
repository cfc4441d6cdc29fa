import pytest
import torch
from safetensors.torch import load_file, save_file

from ntp.errors import CheckpointError, ConfigError
from ntp.models.backbone import load_causal_lm
from ntp.models.lora import LoraSettings, add_lora, load_lora


def test_only_adapters_train_and_they_change_nothing_at_first(pretrained):
    ids = torch.arange(10)[None] + 20
    plain = load_causal_lm(pretrained)
    expected = plain(ids).logits
    model = add_lora(load_causal_lm(pretrained), LoraSettings(r=4))
    torch.testing.assert_close(model(ids).logits, expected)
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    assert names
    assert all("lora_" in name for name in names)


def test_target_modules_choose_the_layers(pretrained):
    model = add_lora(load_causal_lm(pretrained), LoraSettings(r=4, target_modules=["q_proj"]))
    trainable = [p for p in model.parameters() if p.requires_grad]
    assert sum(p.numel() for p in trainable) == 2 * 4 * (32 + 32)


@pytest.mark.parametrize("settings", [LoraSettings(target_modules=["no_such"]), LoraSettings(r=0)])
def test_settings_that_do_not_fit(pretrained, settings):
    with pytest.raises(ConfigError, match="LoRA does not fit"):
        add_lora(load_causal_lm(pretrained), settings)


def randomised(pretrained):
    model = add_lora(load_causal_lm(pretrained), LoraSettings(r=4))
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p.normal_()
    return model


def test_saved_adapter_is_loaded_trainable(pretrained, tmp_path):
    model = randomised(pretrained)
    model.save_pretrained(tmp_path)
    loaded = load_lora(load_causal_lm(pretrained), tmp_path)
    saved, restored = ({n: p for n, p in m.named_parameters() if p.requires_grad} for m in (model, loaded))
    assert saved.keys() == restored.keys()
    assert all(torch.equal(saved[name], restored[name]) for name in saved)


def test_bad_adapters(pretrained, tmp_path):
    with pytest.raises(CheckpointError, match="cannot load the adapter"):
        load_lora(load_causal_lm(pretrained), tmp_path)
    randomised(pretrained).save_pretrained(tmp_path)
    file = tmp_path / "adapter_model.safetensors"
    weights = load_file(file)
    name = sorted(weights)[0]
    save_file({key: value for key, value in weights.items() if key != name}, file)
    with pytest.raises(CheckpointError, match="incomplete: 1 tensors missing"):
        load_lora(load_causal_lm(pretrained), tmp_path)
    save_file({**weights, name: torch.zeros(3, 3)}, file)
    with pytest.raises(CheckpointError, match="cannot load the adapter"):
        load_lora(load_causal_lm(pretrained), tmp_path)
    file.write_bytes(b"garbage")
    with pytest.raises(CheckpointError, match="cannot load the adapter"):
        load_lora(load_causal_lm(pretrained), tmp_path)
