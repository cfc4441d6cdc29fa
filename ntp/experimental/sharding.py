"""Frozen backbones whose weights are sharded over processes (PyTorch's FSDP2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from transformers import PreTrainedModel

from ntp.errors import ConfigError
from ntp.experimental.lockstep import Lockstep


@dataclass(frozen=True, slots=True)
class Backbone:
    """Models that are sharded together.

    Attributes:
        models: Causal language models that share their frozen weights, such as a policy and its reference.
            The frozen weights of the first are sharded.
        num_rows: Minimum number of rows of a batch; a model with K heads needs K.
    """

    models: tuple[PreTrainedModel, ...]
    num_rows: int = 1


def require_shardable(backbones: Sequence[Backbone]) -> None:
    """Check that all models can be sharded.

    Raises:
        ConfigError: A model is quantised, an encoder-decoder, of an architecture whose layers transformers
            does not name, or trained in full, so that nothing in it is frozen; or there is no model.
    """
    for model in (backbone.models[0] for backbone in backbones):
        kind = model.config.model_type
        if getattr(model, "is_quantized", False):
            raise ConfigError(
                "trainer.strategy=fsdp cannot shard quantised weights: give model.quantization=none, or "
                "trainer.strategy=auto, which keeps them on every device"
            )
        if model.config.is_encoder_decoder or not _layers(model):
            raise ConfigError(
                f"trainer.strategy=fsdp shards causal language models, and a {kind} model is none, or none "
                "whose layers it knows: give trainer.strategy=auto"
            )
    if not backbones or not all(_frozen(b.models[0], b.models[0]) for b in backbones):
        raise ConfigError(
            "trainer.strategy=fsdp shards frozen weights, and here all are trained: put an adapter on a "
            "pretrained model, or give trainer.strategy=auto"
        )


def shard(backbones: Sequence[Backbone], mesh: DeviceMesh) -> Lockstep:
    """Shard every frozen weight of all backbones over the processes, in place.

    Each layer's weights are gathered when it is called, also in the backward pass, and dropped afterwards.
    Trainable weights stay whole in every process, and so does the output layer, which is called separately
    and may be tied to the embeddings. Weights are moved to the mesh's device layer by layer, so that it never
    holds all of them.

    Args:
        backbones: Backbones that passed `require_shardable`.
        mesh: A one-dimensional mesh over all processes.

    Returns:
        The lockstep of all calls; call its `meet` before any other collective operation.
    """
    lockstep = Lockstep()
    for backbone in backbones:
        units = zip(*(_units(model) for model in backbone.models), strict=True)
        for twins in units:
            _shard_twins(twins, backbone.models[0], mesh)
        for model in backbone.models:
            model.base_model.register_forward_hook(_forget_order)
            lockstep.lead(model.base_model, partial(_least_call, model, backbone.num_rows))
    return lockstep


def resident_numel(model: nn.Module) -> int:
    """Number of elements of a model's parameters that this process stores between calls."""
    return sum(p.to_local().numel() if isinstance(p, DTensor) else p.numel() for p in model.parameters())


def _layers(model: PreTrainedModel) -> list[nn.Module]:
    """The transformer layers, by transformers' list of modules that must not be split over devices."""
    names = set(model._no_split_modules or ())
    return [module for module in model.base_model.modules() if type(module).__name__ in names]


def _units(model: PreTrainedModel) -> list[nn.Module]:
    """The units that are gathered at once: each layer, and the rest."""
    base = model.base_model
    assert isinstance(base, nn.Module)
    return [*_layers(model), base]


def _frozen(unit: nn.Module, model: PreTrainedModel) -> set[nn.Parameter]:
    """The weights of a unit that are sharded."""
    output = model.get_output_embeddings()
    whole = set() if output is None else set(output.parameters())
    return {p for p in unit.parameters() if not p.requires_grad} - whole


def _shard_twins(twins: Sequence[nn.Module], model: PreTrainedModel, mesh: DeviceMesh) -> None:
    """Shard the same unit of all models of a backbone, which continue to share the sharded weights."""
    frozen = _frozen(twins[0], model)
    for unit in twins:
        whole = set(unit.parameters()) - frozen
        fully_shard(unit, mesh=mesh, reshard_after_forward=True, ignored_params=whole)
    sharded = {name: p for name, p in twins[0].named_parameters() if isinstance(p, DTensor)}
    for unit in twins[1:]:
        unit.load_state_dict(sharded, assign=True, strict=False)


def _least_call(model: PreTrainedModel, num_rows: int) -> Tensor:
    """The last hidden state of a single token, (num_rows, 1, D)."""
    token_B1 = torch.zeros(num_rows, 1, dtype=torch.long, device=model.device)
    return model.base_model(input_ids=token_B1, position_ids=token_B1, use_cache=False).last_hidden_state


def _forget_order(base: nn.Module, *_: Any) -> None:
    """Clear FSDP's record of a call without gradients, which it keeps for a backward pass."""
    reset = getattr(base, "reset_iter_state", None)  # in newer versions of PyTorch
    if reset is not None and not torch.is_grad_enabled():
        reset()
