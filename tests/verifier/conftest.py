import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from ntp.models.heads import HeadSettings
from ntp.models.tokenizer import train_tokenizer
from ntp.policy.factory import PretrainedPolicyFactory
from ntp.verifier.model import VerifierModel

TEXTS = [
    "n : nat\n⊢ n + 0 = n",
    "induction n; simpl; auto.",
    "A : Type\nl : list A\n⊢ rev (rev l) = l",
    "intros; rewrite app_nil_r; reflexivity.",
]


@pytest.fixture(scope="session")
def base_directory(tmp_path_factory):
    """A pretrained model on disk: a small Llama with grouped-query attention and its tokenizer."""
    directory = tmp_path_factory.mktemp("backbone") / "small"
    tokenizer = train_tokenizer(TEXTS, 280)
    config = LlamaConfig(
        vocab_size=288,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=48,
        initializer_range=0.15,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        LlamaForCausalLM(config).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


@pytest.fixture(scope="session")
def make_backbone(base_directory):
    return PretrainedPolicyFactory(
        str(base_directory), max_state_tokens=64, max_tactic_tokens=12, dtype="auto"
    ).create


@pytest.fixture(scope="session")
def make_verifier(make_backbone):
    """Builds verifiers with uneven heads, so that a wrong head or position shows."""

    def make(num_heads=3, uneven=True, **options):
        verifier = VerifierModel(make_backbone(), HeadSettings(num_heads, r=4, alpha=8, **options))
        if uneven:
            for layer in verifier.heads.layers.values():
                for k, b_OR in enumerate(layer.b_KOR.data):
                    b_OR.copy_(torch.randn(b_OR.shape, generator=torch.Generator().manual_seed(k)) * 0.3)
        return verifier

    return make
