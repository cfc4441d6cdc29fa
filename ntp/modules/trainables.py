"""Checkpoints that hold trainable parameters only."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from ntp.errors import CheckpointError


def trainable_names(module: nn.Module) -> set[str]:
    """State-dict names of the parameters that are trained."""
    return {name for name, p in module.named_parameters(remove_duplicate=False) if p.requires_grad}


def keep_trainables(module: nn.Module, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The part of `state_dict` that training changes; frozen weights are reloaded from where they came."""
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
