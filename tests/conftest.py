"""Shared by all tests."""

import shutil
import signal

import pytest
import torch

# On few cores, many small multi-threaded operations mostly wait for one another.
torch.set_num_threads(1)

# What a shell runs in the background is deaf to Ctrl-C, and so would be the processes that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

REQUIREMENTS = {
    "coq": (lambda: shutil.which("coqidetop.opt") is not None, "Coq is missing: apt-get install coq"),
    "gpu": (torch.cuda.is_available, "no CUDA device"),
    "lean": (lambda: shutil.which("lake") is not None, "Lean is missing: no lake on PATH"),
    "slurm": (
        lambda: shutil.which("sbatch") is not None,
        "no SLURM: apt-get install slurm-wlm munge",
    ),
}


@pytest.fixture(scope="session")
def byt5(tmp_path_factory):
    """The directory of a model of ByT5's architecture with its real tokenizer, small and random."""
    from transformers import ByT5Tokenizer, T5Config, T5ForConditionalGeneration

    directory = tmp_path_factory.mktemp("byt5") / "small"
    config = T5Config(
        vocab_size=384,
        d_model=32,
        d_kv=8,
        d_ff=48,
        num_layers=3,
        num_decoder_layers=2,
        num_heads=4,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
        dropout_rate=0.1,
        decoder_start_token_id=0,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = T5ForConditionalGeneration(config)
        # ByT5's output layer is not its embedding, as transformers builds it.
        model.lm_head = torch.nn.Linear(config.d_model, config.vocab_size, bias=False)
    model.save_pretrained(directory)
    ByT5Tokenizer().save_pretrained(directory)
    return directory


def pytest_collection_modifyitems(items):
    """Skip what this machine cannot run, and say why."""
    for name, (available, reason) in REQUIREMENTS.items():
        if not available():
            for item in items:
                if item.get_closest_marker(name):
                    item.add_marker(pytest.mark.skip(reason=reason))
