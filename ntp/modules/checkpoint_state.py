"""Contents of a checkpoint: trainable parameters only, and the state of random-number generators."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ntp.errors import CheckpointError


def trainable_names(module: nn.Module) -> set[str]:
    """State-dict names of the trainable parameters."""
    return {name for name, p in module.named_parameters(remove_duplicate=False) if p.requires_grad}


def keep_trainables(module: nn.Module, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The trainable part of `state_dict`; frozen weights are reloaded from their original source."""
    names = trainable_names(module)
    return {name: tensor for name, tensor in state_dict.items() if name in names}


def require_only_frozen_missing(module: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
    """Check that a checkpoint was written by the same model.

    Raises:
        CheckpointError: A trainable parameter is missing, unknown, or of another shape.
    """
    trainable = {n: p for n, p in module.named_parameters(remove_duplicate=False) if p.requires_grad}
    missing = sorted(trainable.keys() - state_dict.keys())
    unknown = sorted(state_dict.keys() - trainable.keys())
    if missing or unknown:
        raise CheckpointError(
            f"checkpoint is for another model: {len(missing)} trainable parameters missing "
            f"(first: {missing[:1]}), {len(unknown)} unknown (first: {unknown[:1]})"
        )
    for name, parameter in trainable.items():
        if state_dict[name].shape != parameter.shape:
            raise CheckpointError(
                f"checkpoint is for another model: {name} has shape {tuple(state_dict[name].shape)}, "
                f"this model's is {tuple(parameter.shape)}"
            )


def rng_state() -> dict[str, Any]:
    """State of the generators of Python, NumPy and torch, as lists of numbers.

    Such lists can be loaded with `weights_only` and sent between processes.
    """
    version, internal, gauss = random.getstate()
    kind, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    return {
        "python": [version, list(internal), gauss],
        "numpy": [kind, np.asarray(keys).tolist(), position, has_gauss, cached],
        "torch": torch.get_rng_state().tolist(),
        "cuda": [state.tolist() for state in _cuda_states()],
    }


def restore_rng_state(state: Mapping[str, Any]) -> None:
    """Restore the generators to what `rng_state` returned."""
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    kind, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((kind, np.asarray(keys, dtype=np.uint32), position, has_gauss, cached))
    torch.set_rng_state(torch.tensor(state["torch"], dtype=torch.uint8))
    if len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([torch.tensor(cuda, dtype=torch.uint8) for cuda in state["cuda"]])


def _cuda_states() -> list[torch.Tensor]:
    return torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
