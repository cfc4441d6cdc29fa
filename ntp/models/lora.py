"""Low-rank adapters on a frozen backbone, through PEFT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from peft import LoraConfig, PeftModel, get_peft_model
from transformers import PreTrainedModel

from ntp.errors import ConfigError


@dataclass(frozen=True, slots=True)
class LoraSettings:
    """Low-rank adaptation (Hu et al. 2021): W + (alpha / r) B A, with B zero at the start.

    Attributes:
        r: Rank.
        alpha: Numerator of the scale.
        dropout: On the adapters' input, in training mode. Sampling never has dropout, so with dropout above 0
            scores in training mode differ from the sampler's.
        target_modules: Names of the linear layers to adapt, or "all-linear".
    """

    r: int = 16
    alpha: int = 32
    dropout: float = 0.0
    target_modules: Sequence[str] | str = "all-linear"


def add_lora(model: PreTrainedModel, settings: LoraSettings) -> PeftModel:
    """Freeze the model and put trainable adapters on it, in place.

    Raises:
        ConfigError: No layer of the model has a name in `target_modules`, or the rank is not positive.
    """
    targets = settings.target_modules
    config = LoraConfig(
        r=settings.r,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=targets if isinstance(targets, str) else list(targets),
        task_type="CAUSAL_LM",
    )
    try:
        peft_model = get_peft_model(model, config)
    except ValueError as error:
        raise ConfigError(f"LoRA does not fit this model: {error}") from error
    assert isinstance(peft_model, PeftModel)
    return peft_model
