from contextlib import nullcontext

import pytest
import torch
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    MambaConfig,
    MambaForCausalLM,
)

from ntp.errors import CheckpointError
from ntp.models.tokenizer import train_tokenizer
from ntp.policy.factory import PretrainedPolicyFactory
from ntp.policy.policy import TacticPolicy

GPT_SIZES = {"vocab_size": 280, "n_layer": 2, "n_head": 2, "initializer_range": 0.3}
SIZES = {
    "vocab_size": 280,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "initializer_range": 0.3,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 0,
}


def create(model, directory, **options):
    model.save_pretrained(directory)
    train_tokenizer(["n : nat\n⊢ n + 0 = n"], 280).save_pretrained(directory)
    factory = PretrainedPolicyFactory(
        str(directory),
        attn_implementation="eager",
        max_state_tokens=64,
        max_tactic_tokens=16,
        dtype="auto",
        **options,
    )
    return factory.create()


def seeded(model_class, config):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return model_class(config)


def test_full_attention_is_accepted(tmp_path):
    gpt2 = GPT2Config(**GPT_SIZES, n_embd=32, bos_token_id=0, eos_token_id=1)
    create(seeded(GPT2LMHeadModel, gpt2), tmp_path / "gpt2")
    create(seeded(GPTNeoXForCausalLM, GPTNeoXConfig(**SIZES)), tmp_path / "neox")


@pytest.mark.parametrize("kind", ["alibi", "recurrent", "softcap"])
def test_what_cannot_be_packed_is_refused(tmp_path, kind):
    if kind == "alibi":
        model = seeded(BloomForCausalLM, BloomConfig(**GPT_SIZES, hidden_size=32))
    elif kind == "recurrent":
        config = {
            k: SIZES[k] for k in ("vocab_size", "hidden_size", "num_hidden_layers", "initializer_range")
        }
        model = seeded(MambaForCausalLM, MambaConfig(**config))
    else:
        config = Gemma2Config(**SIZES, head_dim=8, num_key_value_heads=2, final_logit_softcapping=1.0)
        model = seeded(Gemma2ForCausalLM, config)
    with pytest.raises(CheckpointError, match="cannot be used: it needs full attention") as info:
        create(model, tmp_path)
    assert "\n" not in str(info.value)


@pytest.mark.parametrize(("options", "error", "accepted"), [
    ({}, 5e-6, True),
    ({}, 5e-4, False),
    ({}, 0.05, False),
    ({"precision": "bf16"}, 0.05, True),
    ({"precision": "bf16"}, 0.5, False),
])  # fmt: skip
def test_scores_must_be_as_exact_as_the_precision(tmp_path, monkeypatch, options, error, accepted):
    """A scorer that is off by so many nats a token."""
    exact = TacticPolicy.score

    def score(self, requests):
        lengths = [len(tactic) + 1 for request in requests for tactic in request.tactics]
        return exact(self, requests) + error * torch.tensor(lengths)

    monkeypatch.setattr(TacticPolicy, "score", score)
    model = seeded(GPTNeoXForCausalLM, GPTNeoXConfig(**SIZES))
    with nullcontext() if accepted else pytest.raises(CheckpointError, match="cannot be used"):
        create(model, tmp_path, **options)
