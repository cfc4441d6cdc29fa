import pytest
from transformers import MistralConfig, MistralForCausalLM

from ntp.models.tokenizer import train_tokenizer


@pytest.fixture(scope="session")
def pretrained(tmp_path_factory):
    """A pretrained model on disk: a small Mistral with grouped-query attention and its tokenizer."""
    directory = tmp_path_factory.mktemp("pretrained") / "small"
    tokenizer = train_tokenizer(["intros n. induction n; auto."] * 4, 280)
    config = MistralConfig(
        vocab_size=288,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=48,
        initializer_range=0.2,
        sliding_window=None,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    MistralForCausalLM(config).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory
