"""Two processes train what one trains: the same batches, losses and weights, to rounding."""

import json
import socket

import pytest
import torch
from safetensors.torch import load_file


@pytest.fixture
def run(warm):
    """Trains on some processes; what they logged, and their checkpoint."""

    def run(kind, num_processes, directory, *strategy):
        directory.mkdir()
        arguments = [
            "tests.modules.distributed_training",
            kind,
            str(num_processes),
            str(directory),
            *strategy,
        ]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
        # As a launcher starts them; Lightning would start further ones itself.
        started = [warm.start(*arguments, LOCAL_RANK=str(rank), **place) for rank in range(num_processes)]
        for done in map(warm.wait, started):
            assert done.returncode == 0, done.stderr[-3000:]
        return json.loads((directory / "logged.json").read_text()), torch.load(directory / "last.ckpt")

    return run


def assert_trained_alike(kind, one, two):
    """Of one process and of two: what they logged, and their checkpoints."""
    (one, checkpoint), (two, other) = one, two
    name = "train/nll" if kind.startswith("sft") else "train/loss"
    losses = {step[name] for step in one["steps"]}
    assert len(losses) == len(one["steps"]) > 3, "the loss must change for its sequence to say anything"
    for ours, theirs in zip([*two["steps"], two["last"]], [*one["steps"], one["last"]], strict=True):
        assert ours == pytest.approx(theirs, abs=1e-5, rel=1e-5)
    for name, weight in checkpoint["state_dict"].items():
        # A fiftieth of a step: Adam makes steps of full size of gradients that are all rounding.
        torch.testing.assert_close(other["state_dict"][name], weight, atol=1e-4, rtol=0)
    assert other.get("replay_buffer") == checkpoint.get("replay_buffer")
    assert (len(checkpoint["rng_states"]), len(other["rng_states"])) == (1, 2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sft", "sft_chat", "verifier", "gfn", "gfn_tb"])
def test_two_processes_train_as_one(run, kind, tmp_path):
    assert_trained_alike(kind, run(kind, 1, tmp_path / "one"), run(kind, 2, tmp_path / "two"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sft_lora", "sft_chat_lora", "verifier", "gfn_lora", "gfn_tb_lora"])
def test_two_processes_that_share_out_the_backbone_train_as_one(run, kind, tmp_path):
    one, two = run(kind, 1, tmp_path / "one"), run(kind, 2, tmp_path / "two", "fsdp")
    assert_trained_alike(kind, one, two)
    assert one[1]["state_dict"].keys() == two[1]["state_dict"].keys()
    (one, _), (two, _) = one, two
    assert one["kept"] == one["whole"] == two["whole"]
    for kept, whole, replicated in zip(two["kept"], two["whole"], two["replicated"], strict=True):
        # Adapters, heads, and embeddings where they are tied to the output layer.
        assert all(any(part in name for part in ("lora_", "_K", "embed_tokens")) for name in replicated)
        num = sum(replicated.values())
        assert kept - num == pytest.approx((whole - num) / 2, rel=0.01)
    for path in (tmp_path / "one" / "saved").rglob("*.safetensors"):
        ours = load_file(tmp_path / "two" / path.relative_to(tmp_path / "one"))
        for name, weight in load_file(path).items():
            torch.testing.assert_close(ours[name], weight, atol=1e-4, rtol=0)
