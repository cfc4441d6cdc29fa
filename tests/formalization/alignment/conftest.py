import pytest

from ntp.formalization.alignment.probe import Probe
from ntp.models.backbone import build_tiny_llama, tiny_llama_config
from ntp.models.tokenizer import train_tokenizer
from tests.formalization.alignment.synthetic import OTHER, WORDS, sentences


@pytest.fixture(scope="session")
def probe():
    """A model of some thousand weights, which are random."""
    tokenizer = train_tokenizer(sentences(WORDS + OTHER, 50, 0), 320)
    config = tiny_llama_config(tokenizer, 16, 2, 2, 32, 64)
    return Probe(build_tiny_llama(config, 0).eval(), tokenizer, max_tokens=24)
