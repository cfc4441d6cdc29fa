"""Policies from configuration and what stages have made."""

from __future__ import annotations

from pathlib import Path

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig

from ntp.policy.policy import TacticPolicy


def policy_directory(path: Path) -> Path:
    """Where the policy lies in what a user or a stage gives: itself, or the `policy` folder of a run."""
    return path / "policy" if (path / "policy").is_dir() else path


def load_policy(cfg: DictConfig, path: Path) -> TacticPolicy:
    """A policy to be used as it is: in evaluation mode, on the GPU where there is one.

    Raises:
        CheckpointError: `path` holds none, or one that does not fit `cfg.model`.
    """
    policy = instantiate(cfg.model).load(policy_directory(path)).eval()
    # Quantised weights are on the GPU since they were read, and cannot be moved.
    if torch.cuda.is_available() and not policy.is_quantized:
        policy.to("cuda")
    return policy
