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


def pytest_collection_modifyitems(items):
    """Skip what this machine cannot run, and say why."""
    for name, (available, reason) in REQUIREMENTS.items():
        if not available():
            for item in items:
                if item.get_closest_marker(name):
                    item.add_marker(pytest.mark.skip(reason=reason))
