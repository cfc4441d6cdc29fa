import signal
import subprocess
import sys

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from torch.utils.data import DataLoader

from ntp.errors import PreemptedError
from ntp.tracking.lightning import AtomicCheckpointIO, LastCheckpoint, find_resume_checkpoint


class Regression(LightningModule):
    def __init__(self, die_at_step=None):
        super().__init__()
        self.layer = torch.nn.Linear(3, 1)
        self.die_at_step = die_at_step
        self.seen = []

    def training_step(self, batch, batch_idx):
        if self.global_step == self.die_at_step:
            raise KeyboardInterrupt
        self.seen.append(batch[0, 0].item())
        return (self.layer(batch) - 1).square().mean()

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=0.1)


def fit(directory, max_steps, module, resume=False, **options):
    # Two batches an epoch: a plain loader starts its epoch again on resume, so saves fall between epochs.
    data = DataLoader(torch.arange(12.0).reshape(4, 3) / 12, batch_size=2)
    trainer = Trainer(
        accelerator="cpu",
        max_steps=max_steps,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[LastCheckpoint(directory, every_n_steps=4)],
        plugins=[AtomicCheckpointIO()],
        **options,
    )
    trainer.fit(module, data, ckpt_path=find_resume_checkpoint(directory) if resume else None)
    return trainer


def new_module(**arguments):
    seed_everything(0, verbose=False)
    return Regression(**arguments)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_run_interrupted_and_resumed_ends_with_the_same_weights(tmp_path):
    whole, first, second = new_module(), new_module(die_at_step=11), new_module()
    fit(tmp_path / "whole", 20, whole)
    with pytest.raises(SystemExit):
        fit(tmp_path / "parts", 20, first)
    assert torch.load(tmp_path / "parts" / "last.ckpt", weights_only=False)["global_step"] == 8
    trainer = fit(tmp_path / "parts", 20, second, resume=True)
    assert trainer.global_step == 20
    assert first.seen[:8] + second.seen == whole.seen
    assert torch.equal(second.layer.weight, whole.layer.weight)
    assert torch.equal(second.layer.bias, whole.layer.bias)


def test_the_final_state_is_saved_and_nothing_else(tmp_path):
    fit(tmp_path, 6, new_module())
    assert [p.name for p in tmp_path.iterdir()] == ["last.ckpt"]
    assert torch.load(tmp_path / "last.ckpt", weights_only=False)["global_step"] == 6


class Stopped(Regression):
    """Is asked to end in the middle of what one optimizer step accumulates."""

    def training_step(self, batch, batch_idx):
        if len(self.seen) == 2:
            signal.raise_signal(signal.SIGTERM)
        return super().training_step(batch, batch_idx)


def test_a_signal_is_obeyed_after_a_whole_optimizer_step(tmp_path):
    module = Stopped()
    with pytest.raises(PreemptedError, match="stopped by SIGTERM after step 2,"):
        fit(tmp_path, 6, module, accumulate_grad_batches=2)
    assert len(module.seen) == 4
    assert torch.load(tmp_path / "last.ckpt", weights_only=False)["global_step"] == 2


def test_without_a_checkpoint_there_is_nothing_to_resume(tmp_path):
    assert find_resume_checkpoint(tmp_path / "absent") is None
    (tmp_path / ".last.ckpt.tmp").write_bytes(b"cut off")
    assert find_resume_checkpoint(tmp_path) is None


KILL_WHILE_SAVING = """
import os, signal, sys, time, torch
from ntp.tracking.lightning import AtomicCheckpointIO
path, delays = sys.argv[1], (0.0, 0.013, 0.03, 0.055, 0.08)
for delay in delays:
    child = os.fork()
    step = 0
    while child == 0:
        AtomicCheckpointIO().save_checkpoint({"step": step, "w": torch.full((2_000_000,), float(step))}, path)
        step += 1
    while not os.path.exists(path):
        time.sleep(0.001)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    checkpoint = torch.load(path)
    assert checkpoint["w"].numel() == 2_000_000 and (checkpoint["w"] == checkpoint["step"]).all()
    os.remove(path)
print("whole", len(delays))
"""


def test_a_kill_while_saving_leaves_a_whole_checkpoint(tmp_path):
    command = [sys.executable, "-c", KILL_WHILE_SAVING, str(tmp_path / "last.ckpt")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "whole 5\n"
