"""Sharded models compute what whole ones compute, however differently processes call them."""

import json

import pytest

from ntp.errors import ConfigError
from ntp.experimental.sharding import Backbone, require_shardable, resident_numel
from ntp.models.backbone import load_causal_lm, load_seq2seq_lm
from ntp.models.lora import LoraSettings, add_lora


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("checkpointing", "bfloat16")])
def test_processes_make_very_different_numbers_of_calls_and_none_hangs(warm, options, tmp_path):
    """Outputs and gradients are compared with those of whole models, in the same process."""
    arguments = ["tests.models.sharded_calls", str(tmp_path)]
    started = [warm.start(*arguments, str(rank), *options) for rank in range(2)]
    for done in map(warm.wait, started):
        assert done.returncode == 0, done.stderr[-3000:]
    written = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]
    for wrote in written:
        for found, expected in zip(wrote["found"], wrote["expected"], strict=True):
            assert found == pytest.approx(expected, abs=1e-5, rel=1e-5)
        assert wrote["num_whole"] == 0, "nobody may hold on to the weights as they were"
        first, second = wrote["addresses"]
        assert first == second, "twins must not each have shards of their own"
        assert wrote["remembered"] == 0, "models that never learn must not fill a record for a backward pass"
    # Of the third model everything is frozen; of twins the adapters are whole in all processes.
    one, other = (wrote["kept"] for wrote in written)
    *_, verifier = written[0]["whole"]
    assert one[2] + other[2] == pytest.approx(verifier, rel=0.01)
    assert one[2] == pytest.approx(verifier / 2, rel=0.02)
    assert all(kept < 0.56 * whole for kept, whole in zip(one, written[0]["whole"], strict=True))


def adapted(pretrained):
    return add_lora(load_causal_lm(pretrained), LoraSettings(r=2)).get_base_model()


def test_what_can_be_sharded(pretrained):
    model = adapted(pretrained)
    require_shardable([Backbone((model,))])
    assert resident_numel(model) == sum(p.numel() for p in model.parameters()), "nothing is sharded yet"


def test_what_cannot_be_sharded_is_refused(pretrained):
    with pytest.raises(ConfigError, match="all are trained"):
        require_shardable([Backbone((load_causal_lm(pretrained),))])
    with pytest.raises(ConfigError, match="all are trained"):
        require_shardable([])
    quantized = adapted(pretrained)
    quantized.is_quantized = True
    with pytest.raises(ConfigError, match="quantised"):
        require_shardable([Backbone((adapted(pretrained),)), Backbone((quantized,))])
    unknown = adapted(pretrained)
    unknown._no_split_modules = None
    with pytest.raises(ConfigError, match="a mistral model is none"):
        require_shardable([Backbone((unknown,))])


def test_an_encoder_decoder_is_refused(byt5):
    model = add_lora(load_seq2seq_lm(byt5), LoraSettings(r=2)).get_base_model()
    with pytest.raises(ConfigError, match="a t5 model is none"):
        require_shardable([Backbone((model,))])
