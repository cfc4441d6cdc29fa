"""Frozen backbones whose weights are shared out among processes (PyTorch's FSDP2)."""

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
    """What is sharded as one.

    Attributes:
        models: Causal language models that have their frozen weights in common, such as a policy and its
            reference. Frozen weights of the first are those that are sharded.
        num_rows: Rows that a batch has at least, as one model with K heads takes K at a time.
    """

    models: tuple[PreTrainedModel, ...]
    num_rows: int = 1


def require_shardable(backbones: Sequence[Backbone]) -> None:
    """Check that all there is can be sharded.

    Raises:
        ConfigError: A model is quantised, an encoder-decoder, without layers that transformers names, or
            trained in full, so that nothing in it is frozen; or there is no model at all.
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
    """Keep of all backbones a part of every frozen weight in every process, in place.

    Each layer's weights are gathered when it is called, in the backward pass too, and dropped afterwards.
    What is trained, and the output layer, which is called by itself and may be tied to the embeddings, stays
    whole everywhere. Weights are brought to the mesh's device layer by layer, so that it never holds all.

    Args:
        backbones: As `require_shardable` wants them.
        mesh: Of one dimension, over all processes.

    Returns:
        What has to be met before processes do anything else together; see there.
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
    """How many numbers this process keeps of a model's parameters between calls."""
    return sum(p.to_local().numel() if isinstance(p, DTensor) else p.numel() for p in model.parameters())


def _layers(model: PreTrainedModel) -> list[nn.Module]:
    """The transformer layers, as transformers names what must not be split over devices."""
    names = set(model._no_split_modules or ())
    return [module for module in model.base_model.modules() if type(module).__name__ in names]


def _units(model: PreTrainedModel) -> list[nn.Module]:
    """What is gathered at once: each layer, and then what is left."""
    base = model.base_model
    assert isinstance(base, nn.Module)
    return [*_layers(model), base]


def _frozen(unit: nn.Module, model: PreTrainedModel) -> set[nn.Parameter]:
    """Weights of a part of a model to be sharded."""
    output = model.get_output_embeddings()
    whole = set() if output is None else set(output.parameters())
    return {p for p in unit.parameters() if not p.requires_grad} - whole


def _shard_twins(twins: Sequence[nn.Module], model: PreTrainedModel, mesh: DeviceMesh) -> None:
    """Shard the same unit of all models of a backbone; they go on having the sharded weights in common."""
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
    """Let FSDP forget a call without gradients; it keeps a record for a backward pass, which never comes."""
    reset = getattr(base, "reset_iter_state", None)  # of newer PyTorch
    if reset is not None and not torch.is_grad_enabled():
        reset()
