"""Two processes train what one trains: the same batches, losses and weights, to rounding."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).with_name("distributed_training.py")


def run(kind, num_processes, directory):
    directory.mkdir()
    done = subprocess.run(
        [sys.executable, str(SCRIPT), kind, str(num_processes), str(directory)],
        capture_output=True,
        text=True,
        timeout=250,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((directory / "logged.json").read_text()), torch.load(directory / "last.ckpt")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sft", "verifier", "gfn", "gfn_tb"])
def test_two_processes_train_as_one(kind, tmp_path):
    one, checkpoint = run(kind, 1, tmp_path / "one")
    two, other = run(kind, 2, tmp_path / "two")
    name = "train/nll" if kind == "sft" else "train/loss"
    losses = {step[name] for step in one["steps"]}
    assert len(losses) == len(one["steps"]) > 3, "the loss must change for its sequence to say anything"
    for ours, theirs in zip([*two["steps"], two["last"]], [*one["steps"], one["last"]], strict=True):
        assert ours == pytest.approx(theirs, abs=1e-5, rel=1e-5)
    for name, weight in checkpoint["state_dict"].items():
        # A fiftieth of a step: Adam makes steps of full size of gradients that are all rounding.
        torch.testing.assert_close(other["state_dict"][name], weight, atol=1e-4, rtol=0)
    assert other.get("replay_buffer") == checkpoint.get("replay_buffer")
    assert (len(checkpoint["rng_states"]), len(other["rng_states"])) == (1, 2)
