"""Low-rank adapters on a frozen backbone, with PEFT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from peft import LoraConfig, PeftModel, get_peft_model, load_peft_weights, set_peft_model_state_dict
from safetensors import SafetensorError
from transformers import PreTrainedModel

from ntp.bounds import PositiveInt, Share
from ntp.errors import CheckpointError, ConfigError


@dataclass(frozen=True, slots=True)
class LoraSettings:
    """Low-rank adaptation (Hu et al. 2021): W + (alpha / r) B A, with B zero at the start.

    Attributes:
        r: Rank.
        alpha: Numerator of the scale.
        dropout: Dropout of the adapters' input in training mode. Sampling has none, so with dropout above 0
            scores in training mode differ from the sampler's.
        target_modules: Names of the linear layers to adapt, or "all-linear".
    """

    r: PositiveInt = 16
    alpha: PositiveInt = 32
    dropout: Share = 0.0
    target_modules: Sequence[str] | str = "all-linear"


def add_lora(model: PreTrainedModel, settings: LoraSettings) -> PeftModel:
    """Freeze the model and add trainable adapters to it, in place.

    Raises:
        ConfigError: No layer of the model has a name in `target_modules`, or the rank is not positive.
    """
    targets = settings.target_modules
    config = LoraConfig(
        r=settings.r,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=targets if isinstance(targets, str) else list(targets),
        task_type="SEQ_2_SEQ_LM" if model.config.is_encoder_decoder else "CAUSAL_LM",
    )
    try:
        return _adapted(model, config)
    except ValueError as error:
        raise ConfigError(f"LoRA does not fit this model: {error}") from error


def load_lora(model: PreTrainedModel, directory: Path) -> PeftModel:
    """Freeze the model and load adapters written by `PeftModel.save_pretrained`, trainable, in place.

    Raises:
        CheckpointError: They cannot be read, or are incomplete.
    """
    try:
        config = LoraConfig.from_pretrained(str(directory))
        assert isinstance(config, LoraConfig)
        config.inference_mode = False
        peft_model = _adapted(model, config)
        weights = load_peft_weights(str(directory), device="cpu")
        result = set_peft_model_state_dict(peft_model, weights)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(f"cannot load the adapter in {directory}: {_first_line(error)}") from error
    trainable = {name for name, p in peft_model.named_parameters() if p.requires_grad}
    if missing := sorted(trainable.intersection(result.missing_keys)):
        raise CheckpointError(
            f"the adapter in {directory} is incomplete: {len(missing)} tensors missing (first: {missing[0]})"
        )
    return peft_model


def _adapted(model: PreTrainedModel, config: LoraConfig) -> PeftModel:
    peft_model = get_peft_model(model, config)
    assert isinstance(peft_model, PeftModel)
    return peft_model


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
