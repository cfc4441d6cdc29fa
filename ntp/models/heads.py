"""K low-rank heads on one frozen backbone, computed together.

The weights of all heads of a layer are one tensor, and the rows of a batch are ordered by head: equal shares
of the rows belong to head 0, head 1, and so on. The gradient of a row reaches only its own head.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import LoraConfig
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from ntp.errors import CheckpointError, ConfigError
from ntp.seeding import derive_seed

_WEIGHTS_FILE = "adapter_model.safetensors"


@dataclass(frozen=True, slots=True)
class HeadSettings:
    """Low-rank heads (Hu et al. 2021): head k adds (alpha / r) B_k A_k to a layer; B_k starts at zero.

    Attributes:
        num_heads: K.
        r: Rank.
        alpha: Numerator of the scale.
        target_modules: Last names of the linear layers to adapt, or "all-linear": all but the output layer.
        seed: Seed of the initial A_k, which differ between heads.

    Raises:
        ConfigError: A number is not positive.
    """

    num_heads: int = 8
    r: int = 8
    alpha: int = 16
    target_modules: Sequence[str] | str = "all-linear"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("num_heads", "r", "alpha"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}={getattr(self, name)}: a verifier needs at least 1")

    @property
    def scale(self) -> float:
        """The factor of B_k A_k."""
        return self.alpha / self.r


class HeadSwitch:
    """Turns the heads of a model on and off; shared by all its layers."""

    def __init__(self) -> None:
        self.on = True

    @contextmanager
    def off(self) -> Iterator[None]:
        """Run the bare backbone.

        The default is on, since gradient checkpointing recomputes layers after the forward pass has ended;
        passes with the heads off are made without gradient.
        """
        before, self.on = self.on, False
        try:
            yield
        finally:
            self.on = before


class HeadedLinear(nn.Module):
    """A frozen linear layer with K low-rank heads.

    Args:
        base: The layer; any kind with `in_features` and `out_features`.
        settings: Settings of the heads.
        generators: Random generators of A_k, one per head.
        switch: Shared with the other layers.
    """

    def __init__(
        self,
        base: nn.Linear,
        settings: HeadSettings,
        generators: Sequence[torch.Generator],
        switch: HeadSwitch,
    ) -> None:
        super().__init__()
        self.base = base
        self._scale = settings.scale
        self._switch = switch
        device = base.weight.device
        # Uniform in +-1/sqrt(D), like PEFT's initial A.
        bound = 1 / math.sqrt(base.in_features)
        a_KRD = torch.stack(
            [torch.rand(settings.r, base.in_features, generator=g) * 2 * bound - bound for g in generators]
        )
        self.a_KRD = nn.Parameter(a_KRD.to(device))
        self.b_KOR = nn.Parameter(
            torch.zeros(settings.num_heads, base.out_features, settings.r, device=device)
        )

    def forward(self, x: Tensor) -> Tensor:
        """The layer's output on rows ordered by head, (K * M, ..., D)."""
        y = self.base(x)
        if not self._switch.on:
            return y
        num_heads = len(self.a_KRD)
        x_KMD = x.reshape(num_heads, -1, x.shape[-1]).to(self.a_KRD.dtype)
        low_KMR = torch.einsum("kmd,krd->kmr", x_KMD, self.a_KRD)
        delta_KMO = torch.einsum("kmr,kor->kmo", low_KMR, self.b_KOR)
        return y + (self._scale * delta_KMO).to(y.dtype).view_as(y)


class LoraHeads:
    """The heads of a model, with its adapted layers.

    Attributes:
        settings: Settings of the heads.
        switch: Turns all heads off temporarily.
        layers: The adapted layers by their names in the model.
    """

    def __init__(
        self, settings: HeadSettings, switch: HeadSwitch, layers: Mapping[str, HeadedLinear]
    ) -> None:
        self.settings = settings
        self.switch = switch
        self.layers = dict(layers)

    def parameters(self) -> list[nn.Parameter]:
        """All stacked weights, whose first dimension is the head."""
        return [p for layer in self.layers.values() for p in (layer.a_KRD, layer.b_KOR)]

    def save(self, directory: Path, base_name: str | None, invocation_ids: Sequence[int]) -> None:
        """Write K PEFT adapters, `head_0` to `head_{K-1}`.

        They are activated adapters (aLoRA): PEFT applies them from the last `invocation_ids` on.
        """
        for k in range(self.settings.num_heads):
            path = directory / f"head_{k}"
            LoraConfig(
                r=self.settings.r,
                lora_alpha=self.settings.alpha,
                target_modules=sorted({name.rpartition(".")[2] for name in self.layers}),
                task_type="CAUSAL_LM",
                base_model_name_or_path=base_name,
                inference_mode=True,
                alora_invocation_tokens=list(invocation_ids),
            ).save_pretrained(str(path))
            tensors = {}
            for name, layer in self.layers.items():
                tensors[f"base_model.model.{name}.lora_A.weight"] = layer.a_KRD[k].detach().cpu().contiguous()
                tensors[f"base_model.model.{name}.lora_B.weight"] = layer.b_KOR[k].detach().cpu().contiguous()
            save_file(tensors, path / _WEIGHTS_FILE)

    def load(self, directory: Path) -> None:
        """Load what `save` wrote, in place.

        Raises:
            CheckpointError: A head cannot be read, or has other layers or sizes.
        """
        for k in range(self.settings.num_heads):
            path = directory / f"head_{k}" / _WEIGHTS_FILE
            try:
                tensors = load_file(path)
            except (OSError, SafetensorError) as error:
                raise CheckpointError(f"cannot read head {k} of the verifier: {path}: {error}") from error
            wanted = {
                f"base_model.model.{name}.lora_{letter}.weight": stacked
                for name, layer in self.layers.items()
                for letter, stacked in (("A", layer.a_KRD), ("B", layer.b_KOR))
            }
            if {n: t.shape for n, t in tensors.items()} != {n: t.shape[1:] for n, t in wanted.items()}:
                raise CheckpointError(f"{path} has heads for other layers or of another rank")
            with torch.no_grad():
                for name, stacked in wanted.items():
                    stacked[k].copy_(tensors[name])


def add_heads(model: PreTrainedModel, settings: HeadSettings) -> LoraHeads:
    """Freeze the model and add K heads to it, in place.

    Raises:
        ConfigError: No layer of the model has a name in `target_modules`.
    """
    model.requires_grad_(False)
    output = model.get_output_embeddings()
    wanted = settings.target_modules
    names = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
        and module is not output
        and (wanted == "all-linear" or name.rpartition(".")[2] in wanted)
    ]
    if not names:
        raise ConfigError(f"no linear layer of this {model.config.model_type} model is named in {wanted}")
    switch = HeadSwitch()
    # One generator per head, so that the initial head k does not depend on the number of heads.
    generators = [
        torch.Generator().manual_seed(derive_seed(settings.seed, "head", k))
        for k in range(settings.num_heads)
    ]
    layers = {}
    for name in names:
        parent_name, _, last = name.rpartition(".")
        parent, base = model.get_submodule(parent_name), model.get_submodule(name)
        assert isinstance(base, nn.Linear)
        layers[name] = HeadedLinear(base, settings, generators, switch)
        setattr(parent, last, layers[name])
    return LoraHeads(settings, switch, layers)
